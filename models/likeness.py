"""Telling rows that say what a record says from others, without reading them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ARRAY, LargeBinary, Text, bindparam, func, select, true
from sqlalchemy import cast as cast_in_sql
from sqlalchemy.dialects.postgresql import JSON

from models.base import UtcDateTime
from models.dialect import dialect_of
from models.natural_key import looked_up, stored_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.natural_key import Keyed

    Values = tuple[Any, ...]
    Stored = Mapping[str, tuple[int, Values]]

_encode_lines = msgspec.json.Encoder().encode_lines
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
MICROSECOND = timedelta(microseconds=1)
AT_ONCE = 500  # lines, as no other thread goes on meanwhile


@dataclass(frozen=True)
class Likeness:
    """What makes a row of a model like a record: the values of `compared`. `columns` are read of others."""

    model: Keyed
    columns: tuple[str, ...]
    compared: tuple[ColumnElement[Any], ...]

    def lines(self, columns: Iterable[Iterable[Any]]) -> bytes:
        """Write values of `compared`, column by column, as PostgreSQL's `row_to_json` does: a line each row.

        Times are written as the bytes of microseconds. The lines are one value, as the driver would look at
        each of many several times, and are no string, which might take four bytes for each character. Any
        thread may do this.
        """
        sent = [map(_sent, values) if n in self._times else values for n, values in enumerate(columns)]
        documents, texts = map(self._kind, *sent), []
        while some := list(islice(documents, AT_ONCE)):
            texts.append(_encode_lines(some)[:-1])
        return b"\n".join(texts)

    @cached_property
    def _kind(self) -> type[msgspec.Struct]:
        """Give a struct with the names that PostgreSQL gives to the fields of a row."""
        names = [(f"f{n}", object) for n in range(1, len(self.compared) + 1)]
        return msgspec.defstruct("Row", names, gc=False)

    @cached_property
    def _times(self) -> AbstractSet[int]:
        return {place for place, one in enumerate(self.compared) if isinstance(one.type, UtcDateTime)}

    @cached_property
    def unlike(self) -> Select[str, int | None]:
        """Select external ids and primary keys of rows that are not as said, or are not there.

        It is made once. The values do not become a part of it: it would keep them until it is collected.
        """
        c = self.model.__table__.c
        keys = select(func.json_array_elements_text(cast_in_sql(bindparam("keys", type_=Text()), JSON)))
        lines = func.string_to_array(func.convert_from(bindparam("said", type_=LargeBinary()), "UTF8"), "\n")
        # Not in FROM, where PostgreSQL would put them all on disk first.
        given = select(
            func.unnest(func.array(keys.scalar_subquery(), type_=ARRAY(Text)), type_=Text).label(
                "external_id"
            ),
            func.unnest(lines, type_=Text).label("said"),
        ).subquery("given")
        site = bindparam("site", type_=Text())
        stored = looked_up(self.model.__table__, ("id",), site, given.c.external_id).lateral("stored")
        sent = [
            func.timestamptz_send(one) if n in self._times else one for n, one in enumerate(self.compared)
        ]
        said = func.row_to_json(func.row(*sent)).cast(Text).label("said")
        row = select(said).where(c.id == stored.c.id).limit(1).lateral("row")
        query = select(given.c.external_id, stored.c.id)
        query = query.select_from(given.outerjoin(stored, true()).outerjoin(row, true()))
        return query.where(row.c.said.is_distinct_from(given.c.said))


async def unlike_rows(
    session: AsyncSession, likeness: Likeness, site: str, keys: Sequence[str], lines: Callable[[], bytes]
) -> tuple[Stored, AbstractSet[str]]:
    """Tell the rows of a site that may not be as their records say from those that surely are.

    Map the former, by external id, to the primary key and the values of the likeness's columns, and name the
    latter: all that is compared is as it stands in the `lines` of the records with these `keys`. PostgreSQL
    compares by itself, so that nothing travels back of a row that is the same: both sides write the values as
    JSON. If they should write the same in two ways, the row is read, and whoever asks sees for himself.
    """
    if not keys:
        return {}, frozenset()
    if dialect_of(session) != "postgresql":
        return await stored_rows(session, likeness.model, site, keys, likeness.columns), frozenset()
    given = {"site": site, "keys": msgspec.json.encode(keys).decode(), "said": lines()}
    unlike = dict((await session.execute(likeness.unlike, given)).all())
    there = [key for key, row_id in unlike.items() if row_id is not None]
    same = set(keys).difference(unlike)
    return await stored_rows(session, likeness.model, site, there, likeness.columns), same


def _sent(moment: datetime | None) -> str | None:
    """Write a time as PostgreSQL sends it; one without a zone, which no row can have, is like none."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        return "naive"
    return f"\\x{(moment - EPOCH) // MICROSECOND & 2**64 - 1:016x}"
