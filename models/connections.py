"""What a connection to SQLite is told, and what is asked of one that has rested."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from models.folded import lowered
from models.session import READ_ONLY

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

SQLITE_BUSY_TIMEOUT_MS = 30_000
REST_SECONDS = 1.0


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


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Make SQLite wait for its one writer, check foreign keys and keep real transactions and savepoints."""

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
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
