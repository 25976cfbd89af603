"""One row for each natural key: what is asked for twice is refused by name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import Text, bindparam, func, literal, select, true
from sqlalchemy import cast as cast_in_sql
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by
from sqlalchemy.exc import IntegrityError

from models.bulk import given_rows
from models.dialect import among, dialect_of, is_duplicate, reserve_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, FromClause, Row, Select, Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.user import User

    Keyed = type[User | Post]


# What a row says of where it came from once it was changed by hand.
BY_HAND: dict[str, Any] = {"file_id": None, "position": None, "repairs": None}


class TakenError(Exception):
    """The site has a user or post of that id already."""


async def add_new(session: AsyncSession, row: User | Post) -> None:
    """Insert a row in a savepoint, so that the transaction outlives a refusal.

    Raises:
        TakenError: the site has a row of that external id.

    """
    site, external_id = row.site, row.external_id
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise TakenError(f"{site} has {external_id} already, in {row.__tablename__}") from error


async def stored_rows(
    session: AsyncSession, model: Keyed, site: str, external_ids: Collection[str], columns: Sequence[str]
) -> dict[str, tuple[int, tuple[Any, ...]]]:
    """Map those of the external ids that a site has to the primary key and the values of `columns`."""
    rows = await _of_site(session, model, site, external_ids, ("external_id", "id", *columns))
    return {row[0]: (row[1], row[2:]) for row in rows}


async def stored_ids(
    session: AsyncSession, model: Keyed, site: str, external_ids: Collection[str]
) -> dict[str, int]:
    """Map those of the external ids that a site has to primary keys.

    To PostgreSQL they travel as one text, and back: the driver would look at each of them several times.
    """
    if not external_ids:
        return {}
    if dialect_of(session) != "postgresql":
        return dict(await _of_site(session, model, site, external_ids, ("external_id", "id")))
    keys = list(external_ids)
    given = {"site": site, "keys": msgspec.json.encode(keys).decode()}
    found = msgspec.json.decode(await session.scalar(_ids_in_order(model), given) or "[]")
    return {key: row_id for key, row_id in zip(keys, found, strict=True) if row_id is not None}


def looked_up(
    table: FromClause, columns: Sequence[str], site: ColumnElement[str], external_id: ColumnElement[str]
) -> Select[Any]:
    """Select columns of the one row of a natural key, on PostgreSQL, by the unique index and no other.

    By `=`, another index that begins with the site costs PostgreSQL as little while it takes the site for
    small, as in the first load of a site, and then all rows of the site are read for each key. No other
    index has a site's rows in the order of their external ids.
    """
    key = table.c.external_id
    found = select(*(table.c[name] for name in columns))
    return found.where(table.c.site == site, key >= external_id, key <= external_id).order_by(key).limit(1)


@lru_cache
def _ids_in_order(model: Keyed) -> Select[str]:
    """Select the primary keys that external ids have, in the order of these, as JSON; it is made once."""
    keys = func.json_array_elements_text(cast_in_sql(bindparam("keys", type_=Text()), JSON))
    given = keys.table_valued("external_id", with_ordinality="place").render_derived(name="given")
    site = bindparam("site", type_=Text())
    stored = looked_up(model.__table__, ("id",), site, given.c.external_id).lateral("stored")
    found = func.json_agg(aggregate_order_by(stored.c.id, given.c.place))
    return select(cast_in_sql(found, Text)).select_from(given.outerjoin(stored, true()))


async def _of_site(
    session: AsyncSession, model: Keyed, site: str, external_ids: Collection[str], columns: Sequence[str]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read columns of the rows that a site has of those external ids."""
    if not external_ids:
        return []
    table = cast("Table", model.__table__)
    if dialect_of(session) == "postgresql":
        given = given_rows(table, ("external_id",), [(key,) for key in external_ids])
        row = looked_up(table, columns, literal(site, Text()), given.c.external_id).lateral("stored")
        query = select(*row.c).select_from(given.join(row, true()))
    else:
        here = (table.c.site == site) & table.c.external_id.in_(external_ids)
        query = select(*(table.c[name] for name in columns)).where(here)
    return (await session.execute(query)).all()


async def reserve_keys(
    session: AsyncSession, model: Keyed, external_ids: Sequence[str]
) -> dict[str, int | None]:
    """Take primary keys for rows that are to be inserted; None where the server gives them later."""
    ids = await reserve_ids(session, model.__table__, len(external_ids)) if external_ids else []
    return dict(zip(external_ids, ids, strict=True))


async def lock_rows(
    session: AsyncSession, model: Keyed, ids: Collection[int], *columns: str
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Lock rows that are about to change, in key order, and give their keys and the columns as they are now.

    Rows that refer to them may be inserted meanwhile.
    """
    if not ids:
        return []
    c = model.__table__.c
    query = select(*(c[name] for name in ("id", *columns))).where(among(session, c.id, ids)).order_by(c.id)
    return (await session.execute(query.with_for_update(key_share=True))).all()
