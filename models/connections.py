"""What a new connection is told, and what is asked of one that has rested."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError, OperationalError

from models.folded import lowered
from models.session import READ_ONLY

if TYPE_CHECKING:
    import aiosqlite
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

SQLITE_BUSY_TIMEOUT_MS = 30_000
SQLITE_TRY_EVERY_SECONDS = 0.002
REST_SECONDS = 1.0
SEND_BUFFER_BYTES = 4 * 1024 * 1024


def ping_after_rest(engine: AsyncEngine) -> None:
    """Test a connection that has rested before it is used again: the server may be gone or restarted.

    The pool's own pre-ping would test each time, which costs a busy worker a round trip per transaction.
    """
    dialect = engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def checked_in(_connection: object, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(connection: Any, record: Any, _proxy: object) -> None:
        now = time.monotonic()
        if now - record.info.get("rests_since", now) < REST_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def widen_sockets(engine: AsyncEngine) -> None:
    """Let the socket of a PostgreSQL on this host hold more of a COPY.

    The server does not run out of rows then while threads have the interpreter and the event loop waits for
    it. Linux gives no more than `net.core.wmem_max`; of TCP it chooses the size by itself.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # The driver has no public way to its socket.
        wire = connection.driver_connection._transport.get_extra_info("socket")  # noqa: SLF001
        if wire.family == socket.AF_UNIX:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Make SQLite wait for its one writer, check foreign keys and keep real transactions and savepoints."""
    turn = asyncio.Lock()

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        connection.create_function("lower", 1, lowered, deterministic=True)
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        # A writer takes its lock at once: a read that turns into a write later could not wait for it.
        read_only = connection.get_execution_options().get(READ_ONLY, False)
        if connection.info.get(READ_ONLY, False) != read_only:
            connection.exec_driver_sql(f"PRAGMA query_only={read_only:d}")
            connection.info[READ_ONLY] = read_only
        if read_only:
            connection.exec_driver_sql("BEGIN")
            return
        try:
            connection.connection.run_async(partial(_begin_writing, turn))
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error


async def _begin_writing(turn: asyncio.Lock, driver: aiosqlite.Connection) -> None:
    """Begin a transaction of SQLite's one writer, waiting for those of other connections to end.

    SQLite's own wait sleeps for 100 ms between two tries, and so can miss each moment between two batches of
    an import until that has ended. Writers of this process get their turns in the order in which they ask.

    Raises:
        sqlite3.OperationalError: others kept the lock for too long, or the file cannot be written.

    """
    until = time.monotonic() + SQLITE_BUSY_TIMEOUT_MS / 1_000
    async with turn:
        await driver.execute_fetchall("PRAGMA busy_timeout=0")
        try:
            while not await _has_begun(driver, is_last=time.monotonic() >= until):  # noqa: ASYNC110 - the lock may be in another process
                await asyncio.sleep(SQLITE_TRY_EVERY_SECONDS)
        finally:
            await driver.execute_fetchall(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")


async def _has_begun(driver: aiosqlite.Connection, *, is_last: bool) -> bool:
    try:
        await driver.execute_fetchall("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if is_last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the rest says what kind of busy
            raise
        return False
    return True
