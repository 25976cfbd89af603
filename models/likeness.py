"""Telling rows that say what a record says from others, without reading them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Text, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import UtcDateTime
from models.dialect import dialect_of
from models.natural_key import stored_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.natural_key import Keyed

    Values = tuple[Any, ...]
    Stored = Mapping[str, tuple[int, Values]]

_encode = msgspec.json.Encoder().encode
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
    query, times = _unlike(model, tuple(compared))
    given = {"site": site, "external_ids": list(said), "said": _written(said.values(), times)}
    unlike = (await session.execute(query, given)).all()
    there = [key for key, row_id in unlike if row_id is not None]
    return await stored_rows(session, model, site, there, columns), said.keys() - {key for key, _ in unlike}


@lru_cache
def _unlike(
    model: Keyed, compared: tuple[ColumnElement[Any], ...]
) -> tuple[Select[str, int | None], Sequence[int]]:
    """Select the external ids, with the primary keys of rows that are there; also give the places of times.

    It is made once. The values do not become a part of it: it would keep them until it is collected.
    """
    times = [place for place, one in enumerate(compared) if isinstance(one.type, UtcDateTime)]
    sent = [func.timestamptz_send(one) if place in times else one for place, one in enumerate(compared)]
    arrays = [bindparam(name, type_=ARRAY(Text)) for name in ("external_ids", "said")]
    names = column("external_id", Text), column("said", Text)
    given = func.unnest(*arrays).table_valued(*names).render_derived(name="given")
    said = func.row_to_json(func.row(*sent)).cast(Text).label("said")
    is_same = (model.site == bindparam("site")) & (model.external_id == given.c.external_id)
    row = select(model.id, said).where(is_same).limit(1).lateral("stored")
    query = select(given.c.external_id, row.c.id).select_from(given.outerjoin(row, true()))
    return query.where(row.c.said.is_distinct_from(given.c.said)), times


def _written(rows: Iterable[Values], times: Sequence[int]) -> list[str]:
    """Write values as PostgreSQL's `row_to_json` does, times as the bytes of its microseconds."""
    texts = []
    for row in rows:
        values = list(row)
        for place in times:
            if values[place] is not None:
                values[place] = _sent(values[place])
        texts.append(_encode(_row(len(values))(*values)).decode())
    return texts


def _sent(moment: datetime) -> str:
    """Write a time as PostgreSQL sends it; one without a zone, which no row can have, is like none."""
    if moment.tzinfo is None:
        return "naive"
    return f"\\x{(moment - EPOCH) // MICROSECOND & 2**64 - 1:016x}"


@lru_cache
def _row(length: int) -> type[msgspec.Struct]:
    """Give a struct with the names that PostgreSQL gives to the fields of a row."""
    return msgspec.defstruct("Row", [(f"f{n}", object) for n in range(1, length + 1)], gc=False)
