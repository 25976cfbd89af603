"""Rows of a site that a snapshot of it no longer has: counted, deleted page by page, or marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select, update

from models.author_stats import mark_stale
from models.clock import now
from models.dialect import among
from models.former_row import keep_former
from models.natural_key import lock_rows
from models.post import Post
from models.run_rows import is_noted
from models.seen_row import SeenRow
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    Keyed = type[User | Post]


class Counted(NamedTuple):
    """Rows of a site: how many the snapshot has, and how many it lacks."""

    seen: int
    vanished: int


class Dump(NamedTuple):
    """What a run loads as the whole of a site; `unmarked`: rows that are marked already do not count."""

    site: str
    root_id: UUID
    unmarked: bool

    def lacks(self, model: Keyed) -> tuple[ColumnElement[bool], ...]:
        """Select the rows that have vanished."""
        lacking = (model.site == self.site, ~is_noted(SeenRow, self.root_id, model))
        return (*lacking, model.missing_since.is_(None)) if self.unmarked else lacking


async def count_vanished(session: AsyncSession, dump: Dump, model: Keyed) -> Counted:
    """Count the rows that the snapshot has, and those of the site that it lacks."""
    seen = select(func.count()).select_from(SeenRow)
    ours = (SeenRow.root_id == dump.root_id, SeenRow.entity == model.__tablename__)
    vanished = select(func.count()).select_from(model).where(*dump.lacks(model))
    return Counted(await session.scalar(seen.where(*ours)) or 0, await session.scalar(vanished) or 0)


async def vanished_rows(
    session: AsyncSession, dump: Dump, model: Keyed, after: int, limit: int
) -> Sequence[int]:
    """List the next vanished rows by primary key."""
    query = select(model.id).where(*dump.lacks(model), model.id > after)
    return (await session.scalars(query.order_by(model.id).limit(limit))).all()


async def mark_missing(session: AsyncSession, root_id: UUID, model: Keyed, ids: Collection[int]) -> None:
    """Note in rows that a snapshot lacks them from now on."""
    which = among(session, model.id, ids)
    await lock_rows(session, model, ids)
    await keep_former(session, root_id, model, which)
    marking = update(model).where(which).values(missing_since=now())
    await session.execute(marking.execution_options(synchronize_session=False))


async def delete_posts(session: AsyncSession, root_id: UUID | None, ids: Collection[int]) -> int:
    """Delete posts for a run, and mark their authors. Posts below them keep what their source said."""
    locked = await lock_rows(session, Post, ids, "author_id")
    which = among(session, Post.id, ids)
    await keep_former(session, root_id, Post, which, gone=True)
    await session.execute(delete(Post).where(which).execution_options(synchronize_session=False))
    await mark_stale(session, {author for _, author in locked if author is not None})
    return len(locked)


async def delete_users(
    session: AsyncSession, root_id: UUID | None, ids: Collection[int], *, named: bool
) -> int:
    """Delete users with their statistics for a run. Their posts stay and count for nobody.

    `named`: a post that has no name of its author keeps that of the user.
    """
    theirs = among(session, Post.author_id, ids)
    # The order of locks is that of an import and of a refresh: posts, marks, users.
    if named:
        await keep_former(session, root_id, Post, theirs, Post.author_name.is_(None))
        name = select(User.name).where(User.id == Post.author_id).scalar_subquery()
        # In this order: MySQL computes one value after the other, from what the ones before have left.
        orphaned = update(Post).ordered_values(
            (Post.author_name, func.coalesce(Post.author_name, name)), (Post.author_id, None)
        )
    else:
        orphaned = update(Post).values(author_id=None)
    await session.execute(orphaned.where(theirs).execution_options(synchronize_session=False))
    await mark_stale(session, ids)
    which = among(session, User.id, ids)
    await keep_former(session, root_id, User, which, gone=True)
    gone = await session.execute(delete(User).where(which).execution_options(synchronize_session=False))
    return int(gone.rowcount)  # type: ignore[attr-defined]
