"""Many rows in one statement, by what each database is fastest at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, String, Text, column, func, insert, literal, update
from sqlalchemy.dialects.postgresql import ARRAY

from models.copying import prepare_copy, send_copy
from models.dialect import dialect_of, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Table, TableValuedAlias
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.types import TypeEngine

FEW_ROWS = 20
"""So many are as well inserted: COPY takes a round trip more."""


async def insert_rows(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, each the values of `columns`: many by COPY on PostgreSQL, else by one INSERT.

    Raises:
        DBAPIError: the database refused one, and with it all.

    """
    if len(rows) > FEW_ROWS and dialect_of(session) == "postgresql":
        await copy_rows(session, table, columns, rows)
    elif rows:
        await session.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


async def copy_rows(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Send rows to PostgreSQL by binary COPY in the session's transaction.

    Raises:
        DBAPIError: the database refused one, and with it all.
        StatementError: a time says no time zone.

    """
    await send_copy(session, prepare_copy(table, columns, rows))


async def update_rows(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Set columns of rows on PostgreSQL; the first of `columns` is the key `id`. Count those there."""
    given = given_rows(table, columns, rows)
    new = {name: given.c[name] for name in columns if name != "id"}
    done = await session.execute(update(table).where(table.c.id == given.c.id).values(new))
    return int(done.rowcount)  # type: ignore[attr-defined]


def given_rows(table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> TableValuedAlias:
    """Make rows, each the values of some columns of a table, a table of a query, on PostgreSQL.

    They travel as one array a column, so that any number of them is the same statement.
    """
    named = [column(name, _without_length(table.c[name].type)) for name in columns]
    values = zip(*rows, strict=True)
    arrays = (_array(of.type, one) for of, one in zip(named, values, strict=True))
    return func.unnest(*arrays).table_valued(*named).render_derived(name="given")


def _array(type_: TypeEngine[Any], values: Iterable[Any]) -> ColumnElement[Any]:
    return numbers(type_, values) if isinstance(type_, Integer) else literal(list(values), ARRAY(type_))


def _without_length(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Let the column judge a text's length: a cast to its type would cut the text without a word."""
    return Text() if isinstance(type_, String) else type_
