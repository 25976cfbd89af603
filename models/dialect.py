"""The few statements and error codes that differ between databases, each behind one function."""

from __future__ import annotations

import re
import sqlite3
from enum import Enum
from typing import TYPE_CHECKING, Any
from typing import cast as cast_to

from sqlalchemy import ARRAY, String, Text, any_, bindparam, cast, func, insert, literal, select, text
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement, FromClause, Select, Table
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.sql.dml import Insert
    from sqlalchemy.types import TypeEngine

MYSQL = {"mysql", "mariadb"}
UPSERTS: dict[str, Callable[[Any], Any]] = {"postgresql": postgresql_insert, "sqlite": sqlite_insert}


def dialect_of(session: AsyncSession | AsyncConnection) -> str:
    """Name the database of a session: `postgresql`, `sqlite`, `mysql` or `mariadb`."""
    bind = session if isinstance(session, AsyncConnection) else session.get_bind()
    return bind.dialect.name


def among(
    session: AsyncSession, column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Match rows whose column has one of the values, texts or whole numbers.

    PostgreSQL gets them as one parameter of 32,767.
    """
    if dialect_of(session) != "postgresql":
        return column.in_(values)
    is_text = isinstance(column.type, String)
    return column == any_(literal(list(values), ARRAY(Text())) if is_text else numbers(column.type, values))


def numbers(type_: TypeEngine[Any], values: Iterable[int | None]) -> ColumnElement[Any]:
    """Give PostgreSQL an array of whole numbers, as one text.

    Of an array the driver would first ask each new connection what it is, which takes longer than most
    queries, and then look at each of its values several times.
    """
    return array_of(type_, literal(number_list(values), Text()))


def array_of(type_: TypeEngine[Any], listed: ColumnElement[str]) -> ColumnElement[Any]:
    """Make what `number_list` wrote an array, on PostgreSQL.

    It is none of the ways that depend on settings: those are computed again for each row of a table.
    """
    return cast(func.string_to_array(listed, ",", "null"), ARRAY(type_))


def number_list(values: Iterable[int | None]) -> str:
    """Write whole numbers one after the other, None as `null`."""
    return ",".join(map(str, values)).replace("None", "null")


def insert_missing(dialect: str, table: FromClause) -> Insert:
    """Make an insert that leaves rows alone whose unique key exists already."""
    upsert = UPSERTS.get(dialect)
    if upsert:
        return cast_to("Insert", upsert(table).on_conflict_do_nothing())
    # Not IGNORE, which would also cut values that are too long; the row is set to what it is.
    key = next(iter(table.primary_key))
    return mysql_insert(cast_to("Table", table)).on_duplicate_key_update({key.name: key})


async def insert_once(session: AsyncSession, table: FromClause, row: dict[str, Any]) -> bool:
    """Insert a row; False means that its key exists already."""
    dialect = dialect_of(session)
    if dialect not in MYSQL:
        inserted = await session.execute(insert_missing(dialect, table).values(row))
        return bool(inserted.rowcount)  # type: ignore[attr-defined]
    # MySQL counts a row that is left alone like one that is inserted, but an error costs only its statement.
    try:
        await session.execute(insert(cast_to("Table", table)).values(row))
    except IntegrityError as error:
        if fault_of(error) is not Fault.CONFLICT:
            raise
        return False
    return True


def insert_or_touch(dialect: str, table: FromClause, key: str, touch: str) -> Insert:
    """Make an insert that sets `touch` where the row exists, and so locks the row in either case."""
    upsert = UPSERTS.get(dialect)
    if upsert:
        statement = upsert(table)
        values = {touch: getattr(statement.excluded, touch)}
        return cast_to("Insert", statement.on_conflict_do_update(index_elements=[key], set_=values))
    on_mysql = mysql_insert(cast_to("Table", table))
    return on_mysql.on_duplicate_key_update({touch: on_mysql.inserted[touch]})


async def overwrite(session: AsyncSession, table: FromClause, query: Select[Any]) -> int:
    """Store the rows of a query, in place of those that have their primary key, and count them."""
    columns = [column.name for column in query.selected_columns]
    keys = [column.name for column in table.primary_key]
    others = [name for name in columns if name not in keys]
    upsert = UPSERTS.get(dialect_of(session))
    if upsert:
        statement = upsert(table).from_select(columns, query)
        values = {name: statement.excluded[name] for name in others}
        stored = statement.on_conflict_do_update(index_elements=keys, set_=values)
        return int((await session.execute(stored)).rowcount)  # type: ignore[attr-defined]
    # MySQL counts a row that it overwrites twice.
    rows = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    on_mysql = mysql_insert(cast_to("Table", table)).from_select(columns, query)
    values = {name: on_mysql.inserted[name] for name in others}
    await session.execute(on_mysql.on_duplicate_key_update(values))
    return rows


async def reserve_ids(session: AsyncSession, table: FromClause, how_many: int) -> Sequence[int | None]:
    """Take primary keys before the insert, so that the flush needs no RETURNING and stays one round trip.

    PostgreSQL takes them from the column's sequence. On SQLite the transaction is the only writer, so the
    keys above the highest are free. MySQL has no such source: None leaves the key to the server.
    """
    dialect = dialect_of(session)
    if dialect == "postgresql":
        query = text(
            "SELECT array_agg(nextval(sequence)) FROM generate_series(1, :how_many),"
            " (SELECT pg_get_serial_sequence(:table, 'id')::regclass AS sequence OFFSET 0) AS taken_once"
        ).bindparams(table=cast_to("Table", table).name, how_many=how_many)
        return await session.scalar(query) or []
    if dialect == "sqlite":
        highest = await session.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0
        return range(highest + 1, highest + 1 + how_many)
    return [None] * how_many


async def free_keys(session: AsyncSession, table: FromClause, keys: Collection[int]) -> set[int]:
    """Tell which of these primary keys no row has."""
    there = select(table.c.id).where(among(session, table.c.id, keys))
    return set(keys).difference(await session.scalars(there)) if keys else set()


def gives_keys_once(session: AsyncSession) -> bool:
    """Tell whether a primary key stays unused once its row is deleted, so that it may be remembered."""
    return dialect_of(session) == "postgresql"


def application_name(dialect: str) -> Sequence[ColumnElement[str]]:
    """Give columns that, once selected, show the parameter `application` to the server's administrator.

    PostgreSQL does so in pg_stat_activity until the transaction ends; other databases have no such thing.
    """
    if dialect != "postgresql":
        return []
    return [func.set_config("application_name", bindparam("application", type_=String()), literal(True))]  # noqa: FBT003


async def name_transaction(session: AsyncSession, name: str) -> None:
    """Show the server's administrator a name for the session's transaction, where the server has it."""
    if columns := application_name(dialect_of(session)):
        await session.execute(select(*columns), {"application": name})


async def end_transactions(session: AsyncSession, names: Sequence[str]) -> None:
    """End the connections whose transactions bear one of these names, where the server names them.

    Whoever left such a transaction open is paused, or on a host that is gone: its locks would stay.
    """
    if dialect_of(session) != "postgresql":
        return
    query = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name IN :names"
    ).bindparams(bindparam("names", expanding=True))
    await session.execute(query, {"names": list(names)})


MYSQL_DUPLICATE = 1062


def is_duplicate(error: DBAPIError) -> bool:
    """Tell whether a row of the same unique key is there already."""
    driver, state, code = _told(error)
    return state == "23505" or code == MYSQL_DUPLICATE or "UNIQUE constraint failed" in str(driver)


class Fault(Enum):
    """What a database error says about trying again."""

    CONFLICT = "another transaction was first: the whole batch may be tried again"
    ROW = "a value or a constraint: the row that has it can never be written"
    OTHER = "the connection, the server or the statement: nothing is wrong with the rows"


# SQLSTATE: a duplicate key, a foreign key whose row was deleted after it was looked up, a serialization
# failure, a deadlock.
CONFLICT_STATES = {"23505", "23503", "40001", "40P01"}
# MySQL's codes: for the same, and for a lock that was not free in time.
MYSQL_CONFLICTS = {1062, 1205, 1213, 1452}
# What comes of leaving a savepoint after a deadlock, which has rolled back the whole transaction.
SAVEPOINT_GONE = re.compile(r"SAVEPOINT \S+ does not exist")
SQLITE_PRIMARY = 0xFF  # the bits of SQLite's codes that say what, without why
MYSQL_CHECKS = {3819, 4025}  # a CHECK constraint, of MySQL and of MariaDB

# SQLSTATE: the connection failed (class 08), there are too many, the server stops, starts or crashed (57P).
AWAY_STATES = ("08", "53300", "57P")
# MySQL's codes without such a state: too many connections of one user, a killed one, an unreachable server.
MYSQL_AWAY = {1203, 1226, 1927, 2002, 2003}


def is_away(error: Exception) -> bool:
    """Tell whether the database could not be reached, had no connection left, or went away in a statement."""
    if isinstance(error, PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError):
        driver, state, code = _told(error)
        # asyncpg's name for a connection that was cut while it was in use.
        is_confused = type(driver).__name__ == "InternalClientError"
        is_cut = error.connection_invalidated or is_confused
        return is_cut or state.startswith(AWAY_STATES) or code in MYSQL_AWAY
    if str(getattr(error, "sqlstate", None) or "").startswith(AWAY_STATES):
        return True  # in the middle of a stream errors come as asyncpg raises them
    # A socket that is missing has no file name in its error, as a file of a job's own has.
    return isinstance(error, ConnectionError | FileNotFoundError) and error.filename is None


def fault_of(error: DBAPIError) -> Fault:
    """Tell from SQLSTATE (class 23 integrity, 22 data) or the driver's code what kind of fault it is."""
    driver, state, code = _told(error)
    is_conflict = state in CONFLICT_STATES or code in MYSQL_CONFLICTS or SAVEPOINT_GONE.search(str(driver))
    if is_conflict or is_duplicate(error) or _is_busy(driver):
        return Fault.CONFLICT
    if state[:2] in {"22", "23"} or code in MYSQL_CHECKS:
        return Fault.ROW
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return Fault.OTHER
    row_fault = isinstance(error, DataError | IntegrityError) or type(driver).__name__ == "DataError"
    return Fault.ROW if row_fault else Fault.OTHER


def _is_busy(driver: Any) -> bool:
    """Tell whether SQLite's one writer did not end in time."""
    return bool(getattr(driver, "sqlite_errorcode", 0) & SQLITE_PRIMARY == sqlite3.SQLITE_BUSY)


def _told(error: DBAPIError) -> tuple[Any, str, Any]:
    """Give the driver's own error, its SQLSTATE and its first argument, which is MySQL's code."""
    driver: Any = getattr(error, "driver_exception", None) or error.orig
    code = (getattr(driver, "args", None) or (None,))[0]
    return driver, str(getattr(driver, "sqlstate", None) or ""), code
