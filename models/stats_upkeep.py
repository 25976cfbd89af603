"""Keeping the stored statistics what the posts say: computing marked authors again, and finding drift.

Whoever stores figures holds one lock, so that nobody else does; importers do not need it, they mark. A mark
that is made while figures are computed survives, since only marks that were locked before are removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import delete, exists, func, or_, select

from models.author_stats import FIGURES, AuthorStats, StaleAuthor, computed, is_stale, take_stale
from models.clock import now
from models.dialect import among, dialect_of, insert_or_touch, overwrite
from models.limit import Limit
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select, Table
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

    from models.base import Base

    AuthorKey = InstrumentedAttribute[int] | InstrumentedAttribute[int | None]

UPKEEP = "author_stats"
MANY = 5_000  # marked authors, below which nobody asks how many there are
# Measured on 1,000,000 posts of 100,000 authors; see docs/queries.md.
SHARE_OF_ALL = 0.65
LARGEST_KEY = 2**63 - 1


class AuthorRange(NamedTuple):
    """Users in the order of their ids: above `after` up to `last`, so many."""

    after: int
    last: int
    users: int

    def hold(self, author: AuthorKey) -> ColumnElement[bool]:
        """Tell whether an author is one of them."""
        return (author > self.after) & (author <= self.last)


EVERYBODY = AuthorRange(0, LARGEST_KEY, 0)


async def lock_upkeep(session: AsyncSession) -> None:
    """Wait until nobody else stores figures, and keep it so until this transaction ends.

    It comes before the locks of marks, so that nobody who waits here holds up an importer.
    """
    locking = insert_or_touch(dialect_of(session), Limit.__table__, "key", "key")
    await session.execute(locking, {"key": UPKEEP})


async def most_are_stale(session: AsyncSession) -> bool:
    """Tell whether so many authors are marked that computing all costs less than looking each of them up."""
    many = select(StaleAuthor.author_id).order_by(StaleAuthor.author_id).offset(MANY).limit(1)
    if await session.scalar(many) is None:
        return False
    stale, stored = [
        select(func.count()).select_from(model).scalar_subquery() for model in (StaleAuthor, AuthorStats)
    ]
    return bool(await session.scalar(select(stale >= stored * SHARE_OF_ALL)))


async def recompute(session: AsyncSession, author_ids: Collection[int]) -> None:
    """Store the figures of authors whose marks this transaction holds, and remove the marks."""
    with_posts = await _store(session, computed(among(session, Post.__table__.c.author_id, author_ids)))
    if with_posts < len(author_ids):
        have_posts = exists().where(Post.author_id == AuthorStats.author_id)
        await _delete(session, AuthorStats, among(session, AuthorStats.author_id, author_ids), ~have_posts)
    await _delete(session, StaleAuthor, among(session, StaleAuthor.__table__.c.author_id, author_ids))


async def recompute_range(session: AsyncSession, authors: AuthorRange) -> int:
    """Do the same for the marked authors of a range that nobody else holds, and count them.

    The figures of all are computed and those of marked authors stored; who stays marked is computed again.
    """
    taken = await take_stale(session, authors.users, authors.hold(StaleAuthor.author_id))
    if taken:
        await _delete(session, AuthorStats, *_without_posts(authors), is_stale(AuthorStats.author_id))
        figures = computed(authors.hold(Post.author_id)).subquery("figures")
        await _store(session, select(figures).where(is_stale(figures.c.author_id)))
        await _delete(session, StaleAuthor, among(session, StaleAuthor.__table__.c.author_id, taken))
    return len(taken)


async def next_range(session: AsyncSession, after: int, limit: int) -> AuthorRange | None:
    """Find the next `limit` users above `after`; None if there are none."""
    page = select(User.id).where(User.id > after).order_by(User.id).limit(limit).subquery()
    last, users = (await session.execute(select(func.max(page.c.id), func.count()).select_from(page))).one()
    return AuthorRange(after, last, users) if users else None


async def repair(session: AsyncSession, authors: AuthorRange) -> int:
    """Store the right figures of unmarked authors whose stored ones differ from the posts, and count them."""
    unmarked = ~is_stale(AuthorStats.author_id)
    orphaned = await _delete(session, AuthorStats, *_without_posts(authors), unmarked)
    return orphaned + await _store(session, _wrong(authors))


async def drifted(session: AsyncSession) -> int:
    """Count authors that are not marked and whose stored figures differ from their posts: must be none."""
    unmarked = ~is_stale(AuthorStats.author_id)
    wrong = select(func.count()).select_from(_wrong(EVERYBODY).subquery())
    orphaned = select(func.count()).select_from(AuthorStats).where(*_without_posts(EVERYBODY), unmarked)
    return (await session.scalar(wrong) or 0) + (await session.scalar(orphaned) or 0)


def _without_posts(authors: AuthorRange) -> tuple[ColumnElement[bool], ...]:
    """Select the stored figures of authors of a range who have no posts.

    Grouped, the posts are read along their index once; otherwise PostgreSQL looks each author up.
    """
    with_posts = (
        select(Post.author_id).where(authors.hold(Post.author_id)).group_by(Post.author_id).subquery()
    )
    has_posts = exists().where(with_posts.c.author_id == AuthorStats.author_id)
    return authors.hold(AuthorStats.author_id), ~has_posts


def _wrong(authors: AuthorRange) -> Select[Any]:
    """Select the figures of authors of a range without a mark for whom others are stored, or none."""
    truth = computed(authors.hold(Post.author_id)).subquery("truth")
    differs = (getattr(AuthorStats, name) != truth.c[name] for name in FIGURES)
    query = select(truth).outerjoin(AuthorStats, AuthorStats.author_id == truth.c.author_id)
    return query.where(or_(AuthorStats.author_id.is_(None), *differs), ~is_stale(truth.c.author_id))


async def _store(session: AsyncSession, figures: Select[Any]) -> int:
    figures = figures.add_columns(now().label("computed_at"))
    return await overwrite(session, AuthorStats.__table__, figures)


async def _delete(session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool]) -> int:
    deleted = await session.execute(delete(cast("Table", model.__table__)).where(*conditions))
    return int(deleted.rowcount)  # type: ignore[attr-defined]
