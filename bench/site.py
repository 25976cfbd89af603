"""A large site in PostgreSQL, made by the server itself: the same rows for the same size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from models.stats_upkeep import recompute

if TYPE_CHECKING:
    from models.database import Database

SITE = "bench"
POSTS_PER_AUTHOR = 10
TAGS = 1_000
AUTHORS_AT_ONCE = 20_000

SEED = "SELECT setseed(0.5)"
# A few authors and tags have most of the posts, as on real sites: a uniform number to the third power.
USERS = """
INSERT INTO users (site, external_id, name, email, reputation, created_at)
SELECT :site, n::text, 'User ' || md5(n::text), md5(n::text) || '@example.com', n % 5000,
       timestamptz '2010-01-01' + n * interval '1 minute'
FROM generate_series(1, :users) AS n
"""
TAG_NAMES = "INSERT INTO tags (name) SELECT 'tag-' || n FROM generate_series(1, :tags) AS n"
POSTS = """
INSERT INTO posts (site, external_id, author_id, author_external_id, author_name, kind, title, content, score,
                   word_count, created_at)
SELECT :site, n::text, u.id, u.external_id, u.name, 'question', 'Title ' || md5(n::text), repeat('word ', 50),
       (random() ^ 3 * 200)::int - 5, 50, timestamptz '2012-01-01' + n * interval '1 minute'
FROM (SELECT n, 1 + floor(random() ^ 3 * :users)::int AS author FROM generate_series(1, :posts) AS n) AS p
JOIN users AS u ON u.site = :site AND u.external_id = p.author::text
"""
LINKS = """
INSERT INTO post_tags (post_id, tag_id)
SELECT DISTINCT p.id, t.id
FROM (SELECT id, 1 + floor(random() ^ 3 * :tags)::int AS tag FROM posts, generate_series(1, 3)) AS p
JOIN tags AS t ON t.name = 'tag-' || p.tag
"""


async def fill(database: Database, posts: int) -> None:
    """Fill an empty, migrated database with so many posts, a tenth as many authors, and their statistics."""
    sizes = {"site": SITE, "users": posts // POSTS_PER_AUTHOR, "posts": posts, "tags": TAGS}
    async with database.writing.begin() as session:
        for statement in (SEED, USERS, TAG_NAMES, POSTS, LINKS):
            query = text(statement)
            await session.execute(query, {name: sizes[name] for name in query.compile().params})
    async with database.writing.begin() as session:
        ids = (await session.scalars(text("SELECT id FROM users ORDER BY id"))).all()
        for start in range(0, len(ids), AUTHORS_AT_ONCE):
            await recompute(session, ids[start : start + AUTHORS_AT_ONCE])
    async with database.engine.connect() as connection:
        vacuuming = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await vacuuming.execute(text("VACUUM ANALYZE"))
