"""Tags and their many-to-many links to posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, ForeignKey, String, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, file_key, intpk
from models.bulk import insert_rows
from models.dialect import among, dialect_of, free_keys, insert_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, ScalarSelect
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

NAMES_AT_ONCE = 10_000  # PostgreSQL takes 32,767 parameters

post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", BigKey, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", BigKey, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Tag(Base):
    """A tag, one for all sites that use the word; `file_id` is the file that had it first, if one had."""

    __tablename__ = "tags"

    id: Mapped[intpk]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    file_id: Mapped[file_key]


_tags = cast("Table", Tag.__table__)


async def tag_ids(session: AsyncSession, names: Collection[str]) -> dict[str, int]:
    """Map tag names that exist to primary keys."""
    known: dict[str, int] = {}
    ordered = sorted(names)
    for start in range(0, len(ordered), NAMES_AT_ONCE):
        page = ordered[start : start + NAMES_AT_ONCE]
        query = select(Tag.name, Tag.id).where(among(session, Tag.name, page))
        known |= dict((await session.execute(query)).all())
    return known


async def tag_by_name(session: AsyncSession, name: str) -> Tag | None:
    """Find a tag."""
    return await session.scalar(select(Tag).where(Tag.name == name))


async def add_tags(session: AsyncSession, names: Collection[str], file_id: int | None = None) -> None:
    """Insert tags, unless another transaction does.

    Sorted, so that two transactions that insert the same names wait for one another and do not deadlock.
    """
    rows = [{"name": name, "file_id": file_id} for name in sorted(names)]
    if rows:
        await session.execute(insert_missing(dialect_of(session), Tag.__table__), rows)


async def add_again(session: AsyncSession, rows: Sequence[tuple[int, str, int | None]]) -> int:
    """Insert tags, given as (primary key, name, file), unless they are there; count those inserted.

    A tag whose key is another's by now gets a new one.
    """
    known = await tag_ids(session, [name for _, name, _ in rows])
    missing = [row for row in rows if row[1] not in known]
    free = await free_keys(session, Tag.__table__, [key for key, _, _ in missing])
    under_their_keys = [row for row in missing if row[0] in free]
    await insert_rows(session, _tags, ("id", "name", "file_id"), under_their_keys)
    others = [(name, file_id) for key, name, file_id in missing if key not in free]
    await insert_rows(session, _tags, ("name", "file_id"), others)
    return len(missing)


async def ensure_tags(
    session: AsyncSession, names: Collection[str], file_id: int | None = None
) -> dict[str, int]:
    """Map tag names to primary keys, inserting the missing ones."""
    known = await tag_ids(session, names)
    missing = set(names) - known.keys()
    await add_tags(session, missing, file_id)
    return known | await tag_ids(session, missing)


async def linked_tags(session: AsyncSession, post_ids: Collection[int]) -> dict[int, set[int]]:
    """Map posts that have tags to the ids of these."""
    links: dict[int, set[int]] = {}
    if post_ids:
        query = select(post_tags.c.post_id, post_tags.c.tag_id).where(
            among(session, post_tags.c.post_id, post_ids)
        )
        for post_id, tag_id in (await session.execute(query)).all():
            links.setdefault(post_id, set()).add(tag_id)
    return links


def tags_of(post_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ScalarSelect[Any]:
    """Select the ids of a post's tags on PostgreSQL: an array in their order, null if it has none."""
    ids = func.array_agg(aggregate_order_by(post_tags.c.tag_id, post_tags.c.tag_id))
    return select(ids).where(post_tags.c.post_id == post_id).scalar_subquery()


async def link_tags(session: AsyncSession, links: Iterable[tuple[int, int]]) -> None:
    """Add (post, tag) links."""
    await insert_rows(session, post_tags, ("post_id", "tag_id"), sorted(links))


async def unlink_tags(session: AsyncSession, links: Iterable[tuple[int, int]]) -> None:
    """Remove (post, tag) links."""
    gone = [{"post": post_id, "tag": tag_id} for post_id, tag_id in sorted(links)]
    if gone:
        one = (post_tags.c.post_id == bindparam("post")) & (post_tags.c.tag_id == bindparam("tag"))
        await session.execute(delete(post_tags).where(one), gone)


async def store_links(
    session: AsyncSession, before: Mapping[int, AbstractSet[int]], after: Mapping[int, AbstractSet[int]]
) -> None:
    """Make the tags of the posts in `after` what that says: differences are removed and added, set-wise."""
    nothing: AbstractSet[int] = set()
    added = [(post, tag) for post, tags in after.items() for tag in tags - before.get(post, nothing)]
    gone = [(post, tag) for post, tags in after.items() for tag in before.get(post, nothing) - tags]
    await unlink_tags(session, gone)
    await link_tags(session, added)


async def tag_names_of(session: AsyncSession, post_ids: Collection[int]) -> dict[int, list[str]]:
    """Map posts that have tags to the names of these, in order."""
    query = (
        select(post_tags.c.post_id, Tag.name)
        .join(Tag, Tag.id == post_tags.c.tag_id)
        .where(post_tags.c.post_id.in_(post_ids))
        .order_by(post_tags.c.post_id, Tag.name)
    )
    names: dict[int, list[str]] = {}
    for post_id, name in await session.execute(query):
        names.setdefault(post_id, []).append(name)
    return names
