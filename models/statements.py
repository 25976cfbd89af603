"""What every statement carries without a round trip of its own: a limit of time, and the run's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

from models.session import TAG

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

STATEMENT_SECONDS = 600.0
"""How long a statement may take: longer than any that is in order, locks it waits for included."""
LONGEST_MS = 2**32 - 1  # what MySQL's hint can say

# SQLSTATE: a statement was cancelled; MariaDB's and MySQL's codes for one that took too long.
_CANCELLED_STATE, _TOO_LONG = "57014", (1969, 3024)


def limit_statements(engine: AsyncEngine, seconds: float) -> None:
    """Have the server end statements that take longer; 0 means no limit.

    PostgreSQL counts each part of a streamed result by itself. SQLite has no such limit.
    """
    if engine.dialect.name == "postgresql":

        @event.listens_for(engine.sync_engine, "do_connect")
        def connecting(_dialect: object, _record: object, _words: object, options: dict[str, Any]) -> None:
            limit = {"statement_timeout": str(round(seconds * 1000))}
            options["server_settings"] = options.get("server_settings", {}) | limit

    elif engine.dialect.name in {"mysql", "mariadb"}:

        @event.listens_for(engine.sync_engine, "connect")
        def connected(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute(_mysql_limit(engine.dialect, seconds))
            cursor.close()


def lift_limit(connection: Connection) -> None:
    """Lift the limit for this transaction, on MySQL for this connection: a migration must not be cut off."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    elif connection.dialect.name in {"mysql", "mariadb"}:
        connection.execute(text(_mysql_limit(connection.dialect, 0)))


def _mysql_limit(dialect: Any, seconds: float) -> str:
    if dialect.is_mariadb:
        return f"SET SESSION max_statement_time = {seconds:.3f}"
    return f"SET SESSION max_execution_time = {round(seconds * 1000)}"  # MySQL limits only what reads


def has_run_too_long(error: Exception) -> bool:
    """Tell whether the server ended a statement because of its limit, not because somebody cancelled it.

    PostgreSQL tells the two apart in words alone; a server whose messages are translated is not understood.
    """
    # In the middle of a stream errors come as the driver raises them.
    driver: Any = getattr(error, "driver_exception", None) or getattr(error, "orig", None) or error
    if getattr(driver, "sqlstate", None) == _CANCELLED_STATE:
        return "timeout" in str(driver)
    return len(driver.args) > 1 and driver.args[0] in _TOO_LONG


def mark_statements(engine: AsyncEngine) -> None:
    """Write the name of a session's run into its statements, on MySQL and MariaDB, and let streams be long.

    PostgreSQL has application_name for it: there each new text would be prepared anew. MySQL counts a
    stream as one statement, so that the time it takes is that of whoever reads it.
    """
    if engine.dialect.name not in {"mysql", "mariadb"}:
        return

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def executing(*execution: Any) -> tuple[str, Any]:
        connection, _cursor, statement, parameters, context, _many = execution
        if tag := connection.get_execution_options().get(TAG):
            statement = marked(statement, tag)
        if context and context.execution_options.get("stream_results"):
            statement = unlimited(statement, is_mariadb=connection.dialect.is_mariadb)
        return statement, parameters


def marked(statement: str, tag: str) -> str:
    """Put a comment behind the first word: drivers look for bulk inserts at the begin and the end."""
    comment = re.sub(r"[^\w .:-]", "", tag)
    return re.sub(r"\A(\s*\w+)", rf"\1 /* {comment} */", statement, count=1)


def unlimited(statement: str, *, is_mariadb: bool) -> str:
    """Exempt a query from the limit of time."""
    if is_mariadb:
        return f"SET STATEMENT max_statement_time = 0 FOR {statement}"
    hint = f"/*+ MAX_EXECUTION_TIME({LONGEST_MS}) */"
    return re.sub(r"\A(\s*SELECT\b)", rf"\1 {hint}", statement, count=1)
