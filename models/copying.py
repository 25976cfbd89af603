"""Many rows to PostgreSQL by binary COPY: made ready anywhere, sent in a session's transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import BigInteger, Boolean, Double, Integer, LargeBinary, SmallInteger, String, Text
from sqlalchemy.exc import DBAPIError, StatementError

from models.base import UtcDateTime
from models.native import encode_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    Rows = Sequence[tuple[Any, ...]]

KINDS: dict[type[Any], str] = {
    SmallInteger: "2",
    Integer: "4",
    BigInteger: "8",
    String: "s",
    Text: "s",
    UtcDateTime: "t",
    Boolean: "b",
    Double: "f",
    LargeBinary: "y",
}
"""The letters of `encode_rows` for types of columns; the driver encodes rows with others."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows that are ready to be sent: the body of a COPY in pieces, or else what the driver encodes."""

    table: str
    columns: tuple[str, ...]
    pieces: Sequence[bytes] = ()
    rows: Rows = ()

    @property
    def statement(self) -> str:
        """What the server is told."""
        return f"COPY {self.table} ({', '.join(self.columns)}) FROM STDIN (FORMAT binary)"


def prepare_copy(table: Table, columns: Sequence[str], rows: Rows) -> Copy:
    """Make rows, each the values of `columns`, ready to be sent; this takes no session, and any thread may.

    Raises:
        StatementError: a time says no time zone.
        TypeError, ValueError, OverflowError: a value is none of its column's; they may come from `send_copy`.

    """
    kinds = "".join(KINDS.get(type(table.c[name].type), "") for name in columns)
    if encode_rows is None or len(kinds) < len(columns):
        return prepare_rows(table, columns, rows)
    try:
        return Copy(table.name, tuple(columns), pieces=encode_rows(rows, kinds))
    except ValueError:
        _refuse_naive(table, columns, rows)
        raise


def prepare_rows(table: Table, columns: Sequence[str], rows: Rows) -> Copy:
    """Leave the encoding to the driver, which is several times slower and can do every type.

    Raises:
        StatementError: a time says no time zone; the driver would take it for local time.
        TypeError: what should be a time is none.

    """
    _refuse_naive(table, columns, rows)
    return Copy(table.name, tuple(columns), rows=rows)


async def send_copy(session: AsyncSession, copy: Copy) -> None:
    """Send rows to PostgreSQL in the session's transaction.

    The session is asked for its connection first: it begins a transaction or a savepoint no earlier, and a
    COPY before it would commit by itself.

    Raises:
        DBAPIError: the database refused one, and with it all.

    """
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        with _announced(connection, copy.statement):
            if copy.pieces:
                source = _Pieces(copy.pieces)
                await driver.copy_to_table(copy.table, columns=copy.columns, source=source, format="binary")
            else:
                await driver.copy_records_to_table(copy.table, columns=copy.columns, records=copy.rows)
    except (PostgresError, InterfaceError) as error:
        raise DBAPIError(copy.statement, None, error) from error


class _Pieces:
    """What the driver sends one after the other, as the server takes it.

    No generator, which would stay open where a COPY is cancelled.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._rest = iter(pieces)

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._rest:
            return piece
        raise StopAsyncIteration


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


def _refuse_naive(table: Table, columns: Sequence[str], rows: Rows) -> None:
    times = [place for place, name in enumerate(columns) if isinstance(table.c[name].type, UtcDateTime)]
    for value in (row[place] for place in times for row in rows if row[place] is not None):
        if not isinstance(value, datetime):
            raise TypeError(f"expected datetime, got {type(value).__name__}")
        if value.utcoffset() is None:
            message = "naive datetime: say which time zone it is in"
            raise StatementError(message, f"COPY {table.name}", None, None)
