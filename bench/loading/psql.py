"""What psql does with the same rows: the limit that PostgreSQL itself sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.loading.files import KEYED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.loading.stage import Stage, Took

# The columns of an exported post.
EXPORTED = (
    "SELECT site, external_id, author_external_id, author_name, parent_external_id, kind, title, content, "
    "score, created_at, t.names FROM posts LEFT JOIN (SELECT post_id, string_agg(name, '|' ORDER BY name) AS "
    "names FROM post_tags JOIN tags ON tags.id = tag_id GROUP BY post_id) AS t ON t.post_id = posts.id"
)


def copying(stage: Stage) -> tuple[str, str]:
    """Say how psql copies the posts, and then their tags."""
    return (
        f"\\copy posts ({KEYED_COLUMNS}) FROM '{stage.files.keyed(stage.posts)}' CSV",
        f"\\copy post_tags (post_id, tag_id) FROM '{stage.files.links(stage.posts)}' CSV",
    )


async def load(stage: Stage) -> Mapping[str, Took]:
    """Copy posts and tags."""
    both = await stage.psql(*copying(stage))
    await stage.check_whole()
    return {"psql": both}


async def load_posts(stage: Stage) -> Mapping[str, Took]:
    """Copy posts alone."""
    return {"psql-posts": await stage.psql(copying(stage)[0])}


async def export(stage: Stage) -> Mapping[str, Took]:
    """Export from one database, by psql and by Headrace."""
    await stage.psql(*copying(stage))
    theirs = await stage.psql(f"\\copy ({EXPORTED}) TO '{stage.folder / 'psql.csv'}' CSV HEADER")
    target = stage.folder / "export.jsonl"
    ours = await stage.headrace("export_rows", "export", "posts", "--to", target)
    return {"psql-export": theirs, "export": ours}
