"""Telling rows that say what a record says from others, without reading them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Text, bindparam, column, func, select, true

from models.base import UtcDateTime
from models.dialect import array_of, dialect_of, number_list
from models.natural_key import stored_ids, stored_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.natural_key import Keyed

    Values = tuple[Any, ...]
    Stored = Mapping[str, tuple[int, Values]]

_encode_lines = msgspec.json.Encoder().encode_lines
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
MICROSECOND = timedelta(microseconds=1)


async def unlike_rows(
    session: AsyncSession,
    model: Keyed,
    site: str,
    columns: Sequence[str],
    compared: Sequence[ColumnElement[Any]],
    said: Mapping[str, Values],
) -> tuple[Stored, AbstractSet[str]]:
    """Tell the rows of a site that may not be as `said`, by external id, from those that surely are.

    Map the former to the primary key and the values of `columns`, and name the latter: all of `compared` have
    the values that were said. PostgreSQL compares by itself, so that nothing travels back of a row that is
    the same: both sides write the values as JSON. If they should write the same in two ways, the row is read,
    and whoever asks sees for himself.
    """
    if not said:
        return {}, frozenset()
    if dialect_of(session) != "postgresql":
        return await stored_rows(session, model, site, said, columns), frozenset()
    ids = await stored_ids(session, model, site, said)
    query, times = _unlike(model, tuple(compared))
    lines = _written((said[key] for key in ids), times)
    given = {"ids": number_list(ids.values()), "said": lines}
    unlike = set((await session.scalars(query, given)).all()) if ids else set[int]()
    same = {key for key, row_id in ids.items() if row_id not in unlike}
    return await stored_rows(session, model, site, ids.keys() - same, columns), same


@lru_cache
def _unlike(model: Keyed, compared: tuple[ColumnElement[Any], ...]) -> tuple[Select[int], Sequence[int]]:
    """Select the primary keys of rows that are not as said, or gone; also give the places of times.

    It is made once. The values do not become a part of it: it would keep them until it is collected. Rows are
    looked up by their primary key, as no other index can be mistaken for it while a table has no statistics.
    """
    times = [place for place, one in enumerate(compared) if isinstance(one.type, UtcDateTime)]
    sent = [func.timestamptz_send(one) if place in times else one for place, one in enumerate(compared)]
    ids = array_of(BigInteger(), bindparam("ids", type_=Text()))
    lines = func.string_to_array(bindparam("said", type_=Text()), "\n")
    given = func.unnest(ids, lines).table_valued(column("id", BigInteger), column("said", Text))
    given = given.render_derived(name="given")
    said = func.row_to_json(func.row(*sent)).cast(Text).label("said")
    row = select(said).where(model.id == given.c.id).limit(1).lateral("stored")
    query = select(given.c.id).select_from(given.outerjoin(row, true()))
    return query.where(row.c.said.is_distinct_from(given.c.said)), times


def _written(rows: Iterable[Values], times: Sequence[int]) -> str:
    """Write values as PostgreSQL's `row_to_json` does, a line each; times as the bytes of microseconds.

    They are one text, as the driver would look at each of many several times.
    """
    documents = []
    for row in rows:
        values = list(row)
        for place in times:
            if values[place] is not None:
                values[place] = _sent(values[place])
        documents.append(_row(len(values))(*values))
    return _encode_lines(documents)[:-1].decode()


def _sent(moment: datetime) -> str:
    """Write a time as PostgreSQL sends it; one without a zone, which no row can have, is like none."""
    if moment.tzinfo is None:
        return "naive"
    return f"\\x{(moment - EPOCH) // MICROSECOND & 2**64 - 1:016x}"


@lru_cache
def _row(length: int) -> type[msgspec.Struct]:
    """Give a struct with the names that PostgreSQL gives to the fields of a row."""
    return msgspec.defstruct("Row", [(f"f{n}", object) for n in range(1, length + 1)], gc=False)
