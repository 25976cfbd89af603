"""The rows of one site, as a whole: how many there are, and what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models.dialect import among
from models.post import UNLINKED_AUTHOR, Post
from models.run_file import RunFile
from models.tag import Tag, post_tags

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.user import User

ROWS_AT_ONCE = 2_000


async def count_rows(
    session: AsyncSession, model: type[User | Post], site: str, *, unmarked: bool = False
) -> int:
    """Count the users or posts of a site: all, or those that no snapshot has marked as missing."""
    query = select(func.count()).where(model.site == site)
    if unmarked:
        query = query.where(model.missing_since.is_(None))
    return await session.scalar(query) or 0


async def count_rows_from(
    session: AsyncSession, model: type[User | Post], site: str, file_ids: Collection[int]
) -> int:
    """Count the rows of a site that records of these files wrote last."""
    query = select(func.count()).where(model.site == site, model.file_id.in_(file_ids))
    return await session.scalar(query) or 0


async def tags_of_site(session: AsyncSession, site: str) -> AsyncIterator[Sequence[str]]:
    """Stream the tags that a site's posts have, or that its files brought first; some at a time."""
    used = select(post_tags.c.tag_id).join(Post, Post.id == post_tags.c.post_id).where(Post.site == site)
    brought = select(Tag.id).join(RunFile, RunFile.id == Tag.file_id).where(RunFile.site == site)
    of_site = used.union(brought).subquery()
    query = select(Tag.name).join(of_site, of_site.c.tag_id == Tag.id)
    result = await session.stream_scalars(query.execution_options(yield_per=ROWS_AT_ONCE))
    async for names in result.partitions():
        yield names


async def waiting_posts(
    session: AsyncSession, site: str, author_external_ids: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Map those of the external ids that posts wait for as their author to how many, and to their score."""
    if not author_external_ids:
        return {}
    query = (
        select(Post.author_external_id, func.count(), func.sum(Post.score))
        .where(
            Post.site == site, UNLINKED_AUTHOR, among(session, Post.author_external_id, author_external_ids)
        )
        .group_by(Post.author_external_id)
    )
    return {str(key): (posts, int(score)) for key, posts, score in await session.execute(query)}


async def scored_posts(
    session: AsyncSession, site: str
) -> AsyncIterator[Sequence[Row[str, int | None, int]]]:
    """Stream the posts of a site that count for somebody: external id, author and score, some at a time."""
    query = select(Post.external_id, Post.author_id, Post.score).where(
        Post.site == site, Post.author_id.is_not(None)
    )
    result = await session.stream(query.execution_options(yield_per=ROWS_AT_ONCE))
    async for rows in result.partitions():
        yield rows
