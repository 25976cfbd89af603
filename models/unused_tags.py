"""Tags that no post has any more, and whose they were: tags are shared by all sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, or_, select

from models.dialect import among
from models.former_row import keep_former
from models.run_file import RunFile
from models.run_rows import is_noted
from models.seen_row import SeenRow
from models.tag import Tag, post_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

IS_USED = exists().where(post_tags.c.tag_id == Tag.id)


def not_in_snapshot(site: str, root_id: UUID, entities: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """Select the tags that a snapshot of a site may take along if nobody uses them.

    Its Tags file does not name them, and a file of the site brought them first: one of posts, or one of tags
    if the snapshot has such files. Of a tag that no file brought, posts are all there was.
    """
    kinds = {"posts"} | ({"tags"} & set(entities))
    files = select(RunFile.id).where(RunFile.site == site, RunFile.entity.in_(kinds))
    return ~is_noted(SeenRow, root_id, Tag), or_(Tag.file_id.is_(None), Tag.file_id.in_(files))


def brought_by(root_id: UUID) -> ColumnElement[bool]:
    """Select the tags that a run brought."""
    return Tag.file_id.in_(select(RunFile.id).where(RunFile.root_id == root_id))


async def unused_tags(
    session: AsyncSession, after: int, limit: int, *which: ColumnElement[bool]
) -> Sequence[int]:
    """List the next tags that no post has, by primary key."""
    query = select(Tag.id).where(~IS_USED, Tag.id > after, *which).order_by(Tag.id).limit(limit)
    return (await session.scalars(query)).all()


async def delete_unused_tags(session: AsyncSession, root_id: UUID | None, ids: Collection[int]) -> int:
    """Delete those of the tags that no post has, for a run, and count them.

    They are locked first: a link that another transaction is about to add is there by then, or waits and
    finds the tag gone, which is a conflict and is tried again.
    """
    tags = Tag.__table__
    await session.execute(select(tags.c.id).where(among(session, tags.c.id, ids)).with_for_update())
    which = (among(session, Tag.id, ids), ~IS_USED)
    await keep_former(session, root_id, Tag, *which, gone=True)
    gone = await session.execute(delete(Tag).where(*which).execution_options(synchronize_session=False))
    return int(gone.rowcount)  # type: ignore[attr-defined]
