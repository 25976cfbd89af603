"""PgBouncer in transaction mode: a connection keeps nothing from one transaction to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event, func, select

from models.urls import PGBOUNCER

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

KEPT_BY_PGBOUNCER = "application_name"
# A statement without a name is gone with the next one, and is carried out by the server that has prepared it,
# as both are in one transaction.
UNPREPARED: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}


def is_behind_pgbouncer(engine: AsyncEngine) -> bool:
    """Tell whether an engine's URL says that connections go through PgBouncer."""
    return PGBOUNCER in engine.url.query


def prepare_pgbouncer(engine: AsyncEngine) -> None:
    """Have each transaction set what PgBouncer refuses when a client connects; prepare no statement for long.

    It comes after whatever else adds to the settings of new connections.
    """
    if not is_behind_pgbouncer(engine):
        return
    settings: dict[str, str] = {}

    @event.listens_for(engine.sync_engine, "do_connect")
    def connecting(_dialect: object, _record: object, _words: object, options: dict[str, Any]) -> None:
        del options[PGBOUNCER]
        settings.update(options["server_settings"])
        name = settings.pop(KEPT_BY_PGBOUNCER)
        options.update(UNPREPARED, server_settings={KEPT_BY_PGBOUNCER: name})

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        local = [func.set_config(name, value, True) for name, value in settings.items()]  # noqa: FBT003 - SQL's
        connection.execute(select(*local))


def committing(engine: AsyncEngine) -> AsyncEngine | None:
    """Give the same engine, committing each statement by itself, where that saves round trips.

    Behind PgBouncer only a transaction has limits of time, and so each statement is in one.
    """
    if engine.dialect.name != "postgresql" or is_behind_pgbouncer(engine):
        return None
    return engine.execution_options(isolation_level="AUTOCOMMIT")
