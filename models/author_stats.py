"""What is known of every author who has posts, and which of it has to be computed again.

A transaction that changes posts marks their authors in `stale_authors`. The mark is one row per author and
is written by an upsert, so it locks: whoever refreshes an author holds the mark's lock from before the
figures are computed until they are stored, and a mark made meanwhile waits and survives.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from typing import cast as cast_to

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    column,
    distinct,
    exists,
    func,
    select,
    union_all,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, count
from models.clock import UtcDay, now
from models.dialect import array_of, dialect_of, insert_or_touch, number_list
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, CompoundSelect, Insert, Table
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

    AuthorKey = ColumnElement[int] | InstrumentedAttribute[int]


class AuthorStats(Base):
    """The statistics of one author over all posts; an author without posts has no row.

    `h_index` is the largest h such that h posts score at least h each (Hirsch 2005). `word_count` counts
    words of the contents without markup, `active_days` the UTC days with at least one post.
    """

    __tablename__ = "author_stats"

    author_id: Mapped[int] = mapped_column(
        BigKey, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    post_count: Mapped[count]
    total_score: Mapped[count]
    mean_score: Mapped[float] = mapped_column(Double())
    max_score: Mapped[count]
    h_index: Mapped[count]
    word_count: Mapped[count]
    active_days: Mapped[count]
    first_post_at: Mapped[datetime]
    last_post_at: Mapped[datetime]
    computed_at: Mapped[datetime]


class StaleAuthor(Base):
    """A mark: this author's posts changed since the statistics were stored."""

    __tablename__ = "stale_authors"

    author_id: Mapped[int] = mapped_column(
        BigKey, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    marked_at: Mapped[datetime]


FIGURES = (
    "post_count",
    "total_score",
    "mean_score",
    "max_score",
    "h_index",
    "word_count",
    "active_days",
    "first_post_at",
    "last_post_at",
)


# Of tables a statement is made in half of the time that it takes of entities; what is small is mostly that.
_posts = Post.__table__.c
_marks = cast_to("Table", StaleAuthor.__table__)


def is_stale(author: AuthorKey) -> ColumnElement[bool]:
    """Tell whether an author is marked; negated, it is a join however many are, which NOT IN is not."""
    return exists().where(StaleAuthor.author_id == author)


def computed(*authors: ColumnElement[bool]) -> Select[Any]:
    """Compute `author_id` and FIGURES from the posts of the authors that the conditions on Post select."""
    rank = func.row_number().over(partition_by=_posts.author_id, order_by=_posts.score.desc())
    ranked = (
        select(_posts.author_id, _posts.score, _posts.word_count, _posts.created_at, rank.label("place"))
        .where(_posts.author_id.is_not(None), *authors)
        .subquery("ranked")
    )
    p = ranked.c
    total = cast(func.sum(p.score), BigInteger)
    # Scores are ranked from the highest, so those that reach their own place are the first h.
    h_index = func.count(case((p.score >= p.place, 1)))
    return select(
        p.author_id,
        func.count().label("post_count"),
        total.label("total_score"),
        (cast(total, Double) / cast(func.count(), Double)).label("mean_score"),
        func.max(p.score).label("max_score"),
        h_index.label("h_index"),
        cast(func.sum(p.word_count), BigInteger).label("word_count"),
        func.count(distinct(UtcDay(p.created_at))).label("active_days"),
        func.min(p.created_at).label("first_post_at"),
        func.max(p.created_at).label("last_post_at"),
    ).group_by(p.author_id)


def exact() -> CompoundSelect[Any]:
    """Select every author's figures as they are now: stored ones, and computed ones where marked stale."""
    stale = select(StaleAuthor.author_id)
    columns = (getattr(AuthorStats, name) for name in ("author_id", *FIGURES, "computed_at"))
    stored = select(*columns).where(~is_stale(AuthorStats.author_id))
    return union_all(stored, computed(Post.author_id.in_(stale)).add_columns(now().label("computed_at")))


def authors(site: str | None) -> Select[Any]:
    """Select the natural key, the name and the exact figures of all authors, of one site or of all."""
    figures = exact().subquery("figures")
    query = select(User.site, User.external_id, User.name, *figures.c).join(
        figures, figures.c.author_id == User.id
    )
    return query.where(User.site == site) if site else query


async def mark_stale(session: AsyncSession, author_ids: Collection[int]) -> None:
    """Mark authors whose posts this transaction changes, in key order against deadlocks.

    A mark that is there already is held, together with whoever else holds it: refreshing the author has to
    wait for this transaction, marking the author again has not.
    """
    if not author_ids:
        return
    if dialect_of(session) == "postgresql":
        await session.execute(_marking(), {"authors": number_list(author_ids)})
        return
    held = _held(_marks.c.author_id.in_(author_ids))
    if missing := set(author_ids).difference((await session.scalars(held)).all()):
        marking = insert_or_touch(dialect_of(session), _marks, "author_id", "marked_at")
        await session.execute(
            marking.values(marked_at=now()), [{"author_id": one} for one in sorted(missing)]
        )


def _held(authors: ColumnElement[bool]) -> Select[int]:
    marked = select(_marks.c.author_id).where(authors).order_by(_marks.c.author_id)
    return marked.with_for_update(read=True, key_share=True)


@lru_cache
def _marking() -> Insert:
    """Mark, on PostgreSQL, the `authors` of a `number_list`; it is made once."""
    authors = array_of(BigInteger(), bindparam("authors", type_=Text()))
    held = _held(_marks.c.author_id == any_(authors)).cte("held")
    given = func.unnest(authors).table_valued(column("author_id", BigInteger)).render_derived(name="given")
    # Not EXISTS: it would become a nested loop in a plan that is made for any number of authors.
    missing = select(given.c.author_id, now()).where(given.c.author_id.not_in(select(held.c.author_id)))
    marking = insert_or_touch("postgresql", _marks, "author_id", "marked_at")
    return marking.from_select(["author_id", "marked_at"], missing.order_by(given.c.author_id))


async def all_fresh(session: AsyncSession, until: datetime | None = None) -> bool:
    """Tell whether no author is marked, or has been since a moment or longer."""
    query = select(_marks.c.author_id)
    if until is not None:
        query = query.where(_marks.c.marked_at <= until)
    return await session.scalar(query.limit(1)) is None


async def take_stale(session: AsyncSession, limit: int, *which: ColumnElement[bool]) -> Sequence[int]:
    """Lock and list up to `limit` marked authors that nobody else is marking or refreshing."""
    query = select(_marks.c.author_id).where(*which).order_by(_marks.c.author_id).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


async def wait_for_stale(session: AsyncSession, until: datetime) -> Sequence[int]:
    """Wait for one mark that others hold and that was made until a moment; list its author if it is left.

    Whoever holds it may be a worker that lost its run in a pause: nobody else would come back to the mark.
    It is only one, and the only lock of its transaction, so that two who wait cannot wait for each other.
    """
    query = select(_marks.c.author_id).where(_marks.c.marked_at <= until)
    return (await session.scalars(query.order_by(_marks.c.author_id).limit(1).with_for_update())).all()
