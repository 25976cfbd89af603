"""Many rows in one statement, by what each database is fastest at."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import String, Text, column, func, insert, literal, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, StatementError

from models.base import UtcDateTime
from models.dialect import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table, TableValuedAlias
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
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

    The session is asked for its connection first: it begins a transaction or a savepoint no earlier, and a
    COPY before it would commit by itself.

    Raises:
        DBAPIError: the database refused one, and with it all.
        StatementError: a time says no time zone; the driver would take it for local time.

    """
    if any(row[place].tzinfo is None for place in _times(table, columns) for row in rows if row[place]):
        raise StatementError("naive datetime: say which time zone it is in", f"COPY {table.name}", None, None)
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
    try:
        with _announced(connection, statement):
            await driver.copy_records_to_table(table.name, columns=columns, records=rows)
    except (PostgresError, InterfaceError) as error:
        raise DBAPIError(statement, None, error) from error


@contextmanager
def _announced(connection: AsyncConnection, statement: str) -> Iterator[None]:
    """Tell those who listen for statements, as traces do, of one that SQLAlchemy does not execute."""
    synchronous: Any = connection.sync_connection
    execution = (synchronous, None, statement, (), SimpleNamespace(), False)
    synchronous.dispatch.before_cursor_execute(*execution)
    try:
        yield
    finally:
        synchronous.dispatch.after_cursor_execute(*execution)


def _times(table: Table, columns: Sequence[str]) -> Sequence[int]:
    return [place for place, name in enumerate(columns) if isinstance(table.c[name].type, UtcDateTime)]


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
    arrays = (literal(list(one), ARRAY(of.type)) for of, one in zip(named, values, strict=True))
    return func.unnest(*arrays).table_valued(*named).render_derived(name="given")


def _without_length(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Let the column judge a text's length: a cast to its type would cut the text without a word."""
    return Text() if isinstance(type_, String) else type_
