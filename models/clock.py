"""The database's own clock, so that leases mean the same to workers whose clocks differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Double, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from models.base import UtcDateTime

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.sql.compiler import SQLCompiler


class _Now(FunctionElement["datetime"]):
    """The time now plus a number of seconds, in UTC."""

    type = UtcDateTime()
    inherit_cache = True


def now(plus_seconds: float | ColumnElement[float] = 0) -> ColumnElement[datetime]:
    """Give the database's time in UTC, `plus_seconds` from now."""
    fixed = isinstance(plus_seconds, float | int)
    return _Now(literal(float(plus_seconds), Double()) if fixed else plus_seconds)


async def moment(session: AsyncSession) -> datetime:
    """Ask the database what time it is."""
    return (await session.execute(select(now()))).scalar_one()


@compiles(_Now)
def _standard(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(_Now, "sqlite")
def _sqlite(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    # strftime gives milliseconds; the zeros make the text as long as the ones SQLAlchemy stores.
    seconds = compiler.process(element.clauses, **kw)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"


@compiles(_Now, "mysql", "mariadb")
def _mysql(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"TIMESTAMPADD(MICROSECOND, {seconds} * 1000000, UTC_TIMESTAMP(6))"


class UtcDay(FunctionElement[str]):
    """The UTC calendar day of a timestamp, for counting distinct days."""

    inherit_cache = True


@compiles(UtcDay)
def _day(element: UtcDay, compiler: SQLCompiler, **kw: Any) -> str:
    return f"date({compiler.process(element.clauses, **kw)})"


@compiles(UtcDay, "postgresql")
def _day_postgresql(element: UtcDay, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC')::date"
