"""What each connection to MySQL and MariaDB is told, so that they behave as the other databases do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DataError

from models.session import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

# Whatever the URL says: no other character set holds all characters, and bytes must not be taken for text.
CONNECT_ARGUMENTS = {"charset": "utf8mb4", "binary_prefix": True}
# Many rows go into one statement, which has to stay below the server's max_allowed_packet.
MYSQL_OPTIONS: dict[str, Any] = {"connect_args": CONNECT_ARGUMENTS, "insertmanyvalues_page_size": 100}

# A worker that is paused in the middle of a batch must not keep its row locks from the one that follows.
# Nobody can tell such a connection by its name here, so the server has to end it by itself, and soon.
IDLE_TRANSACTION_SECONDS = 15

# A character takes up to four bytes, and an escaped one twice as many.
MOST_BYTES_PER_CHARACTER = 8


class PacketTooLargeError(Exception):
    """The values are larger than the server's max_allowed_packet."""


def prepare_mysql(engine: AsyncEngine) -> None:
    """Make statements see what is committed, refuse values that do not fit, and end what was left open."""
    dialect: Any = engine.dialect

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        # MySQL has no bound for a transaction alone; a connection that rests as long is opened anew.
        bound = "idle_transaction_timeout" if dialect.is_mariadb else "wait_timeout"
        cursor = connection.cursor()
        for setting in (
            "TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            f"{bound} = {IDLE_TRANSACTION_SECONDS}",
        ):
            cursor.execute(f"SET SESSION {setting}")
        cursor.execute("SELECT @@max_allowed_packet")
        record.info["packet_bytes"] = cursor.fetchone()[0]
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get(READ_ONLY):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def sized(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        # The server would cut the connection, and the run would be tried again and again. This way the row
        # is found, and kept as a reject.
        for values in parameters if isinstance(parameters, list) else [parameters]:
            if _exceeds(connection, len(statement), values):
                raise DataError(None, None, PacketTooLargeError(PacketTooLargeError.__doc__))


def _exceeds(connection: Connection, characters: int, values: Iterable[Any] | None) -> bool:
    """Tell whether a statement of so many characters is with its values too large for the server."""
    large = [value for value in values or () if isinstance(value, str | bytes)]
    most: int = connection.connection.info["packet_bytes"]
    if (characters + sum(map(len, large))) * MOST_BYTES_PER_CHARACTER < most:
        return False
    driver: Any = connection.connection.driver_connection
    return (
        characters + sum(len(driver.literal(value).encode(errors="surrogateescape")) for value in large)
        >= most
    )
