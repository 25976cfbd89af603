"""Keeping the stored statistics what the posts say: computing marked authors again, and finding drift.

Whoever stores figures holds one lock, so that nobody else does; importers do not need it, they mark. A mark
that is made while figures are computed survives, since only marks that were locked before are removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, exists, func, or_, select

from models.author_stats import FIGURES, AuthorStats, StaleAuthor, computed, is_stale
from models.clock import now
from models.dialect import among, insert_or_touch, overwrite
from models.limit import Limit
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

    from models.base import Base

    AuthorKey = InstrumentedAttribute[int] | InstrumentedAttribute[int | None]

UPKEEP = "author_stats"


class AuthorRange(NamedTuple):
    """Users in the order of their ids: above `after` up to `last`, so many."""

    after: int
    last: int
    users: int

    def hold(self, author: AuthorKey) -> ColumnElement[bool]:
        """Tell whether an author is one of them."""
        return (author > self.after) & (author <= self.last)


async def lock_upkeep(session: AsyncSession) -> None:
    """Wait until nobody else stores figures, and keep it so until this transaction ends.

    It comes before the locks of marks, so that nobody who waits here holds up an importer.
    """
    await session.execute(insert_or_touch(session, Limit.__table__, "key", "key"), {"key": UPKEEP})


async def recompute(session: AsyncSession, author_ids: Collection[int]) -> None:
    """Store the figures of authors whose marks this transaction holds, and remove the marks."""
    await _store(session, computed(among(session, Post.author_id, author_ids)))
    await _delete(session, AuthorStats, among(session, AuthorStats.author_id, author_ids), ~_HAS_POSTS)
    await _delete(session, StaleAuthor, among(session, StaleAuthor.author_id, author_ids))


async def next_range(session: AsyncSession, after: int, limit: int) -> AuthorRange | None:
    """Find the next `limit` users above `after`; None if there are none."""
    page = select(User.id).where(User.id > after).order_by(User.id).limit(limit).subquery()
    last, users = (await session.execute(select(func.max(page.c.id), func.count()).select_from(page))).one()
    return AuthorRange(after, last, users) if users else None


async def repair(session: AsyncSession, authors: AuthorRange) -> int:
    """Store the right figures of unmarked authors whose stored ones differ from the posts, and count them."""
    orphaned = await _delete(session, AuthorStats, authors.hold(AuthorStats.author_id), *_ORPHANED)
    return orphaned + await _store(session, _wrong(authors.hold(Post.author_id)))


async def drifted(session: AsyncSession) -> int:
    """Count authors that are not marked and whose stored figures differ from their posts: must be none."""
    wrong = select(func.count()).select_from(_wrong().subquery())
    orphaned = select(func.count()).select_from(AuthorStats).where(*_ORPHANED)
    return (await session.scalar(wrong) or 0) + (await session.scalar(orphaned) or 0)


_HAS_POSTS = exists().where(Post.author_id == AuthorStats.author_id)
_ORPHANED = (~_HAS_POSTS, ~is_stale(AuthorStats.author_id))


def _wrong(*posts: ColumnElement[bool]) -> Select[Any]:
    """Select the figures of authors without a mark for whom others are stored, or none."""
    truth = computed(~is_stale(Post.author_id), *posts).subquery("truth")
    differs = (getattr(AuthorStats, name) != truth.c[name] for name in FIGURES)
    query = select(truth).outerjoin(AuthorStats, AuthorStats.author_id == truth.c.author_id)
    return query.where(or_(AuthorStats.author_id.is_(None), *differs))


async def _store(session: AsyncSession, figures: Select[Any]) -> int:
    figures = figures.add_columns(now().label("computed_at"))
    return await overwrite(session, AuthorStats.__table__, figures)


async def _delete(session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool]) -> int:
    statement = delete(model).where(*conditions).execution_options(synchronize_session=False)
    return int((await session.execute(statement)).rowcount)  # type: ignore[attr-defined]
