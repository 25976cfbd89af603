"""How often tags are used, and with which others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, String, func, select, text

from models.post import Post
from models.tag import Tag, post_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

# A self-join reads best as what it is.
RELATED = text("""
    SELECT other.name AS name, count(*) AS posts
    FROM tags AS this
    JOIN post_tags AS mine ON mine.tag_id = this.id
    JOIN post_tags AS theirs ON theirs.post_id = mine.post_id AND theirs.tag_id <> mine.tag_id
    JOIN tags AS other ON other.id = theirs.tag_id
    WHERE this.name = :name
    GROUP BY other.id, other.name
    ORDER BY count(*) DESC, other.name
    LIMIT :most
""").columns(name=String, posts=BigInteger)


async def top_tags(session: AsyncSession, site: str | None, limit: int) -> Sequence[Row[str, int]]:
    """List the most used tags as (name, number of posts), of one site or of all; ties by name."""
    # Counted before the names come to it, so that the index of the links is enough.
    counting = select(post_tags.c.tag_id, func.count().label("posts")).group_by(post_tags.c.tag_id)
    if site is not None:
        counting = counting.join(Post, Post.id == post_tags.c.post_id).where(Post.site == site)
    counted = counting.subquery("counted")
    query = select(Tag.name, counted.c.posts).join(counted, counted.c.tag_id == Tag.id)
    return (await session.execute(query.order_by(counted.c.posts.desc(), Tag.name).limit(limit))).all()


async def related_tags(session: AsyncSession, name: str, limit: int) -> Sequence[Row[str, int]]:
    """List the tags that posts with a tag have besides it, as (name, number of posts); ties by name."""
    return (await session.execute(RELATED, {"name": name, "most": limit})).all()
