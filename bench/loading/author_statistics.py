"""What the statistics of authors cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.loading.psql import copying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.loading.stage import Stage, Took

TOUCHED_ONE_IN = 100
# All columns of `author_stats` by nothing but a GROUP BY; h-indexes need the ranks.
GROUP_BY = """
INSERT INTO author_stats (author_id, post_count, total_score, mean_score, max_score, h_index, word_count,
                          active_days, first_post_at, last_post_at, computed_at)
SELECT author_id, count(*), sum(score), sum(score)::float8 / count(*), max(score),
       count(*) FILTER (WHERE score >= place), sum(word_count),
       count(DISTINCT (created_at AT TIME ZONE 'UTC')::date), min(created_at), max(created_at), now()
FROM (SELECT *, row_number() OVER (PARTITION BY author_id ORDER BY score DESC) AS place FROM posts
      WHERE author_id IS NOT NULL) AS ranked
GROUP BY author_id
"""
TOUCH = "UPDATE posts SET score = score + 1 WHERE author_id % $1 = 0"
MARK = """
INSERT INTO stale_authors (author_id, marked_at)
SELECT DISTINCT author_id, now() FROM posts WHERE author_id % $1 = 0
"""


async def measure(stage: Stage) -> Mapping[str, Took]:
    """Compute the statistics of all authors by one statement and by a rebuild, then of a few by a refresh."""
    await stage.psql(*copying(stage))
    bare = await stage.psql(GROUP_BY)
    await stage.execute("TRUNCATE author_stats")
    rebuilt = await stage.headrace("rebuild_author_stats", "stats", "rebuild")
    await stage.execute(TOUCH, TOUCHED_ONE_IN)
    await stage.execute(MARK, TOUCHED_ONE_IN)
    refreshed = await stage.headrace("refresh_author_stats", "stats", "refresh")
    return {"group-by": bare, "rebuild": rebuilt, "refresh": refreshed}
