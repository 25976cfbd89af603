"""Finding the records that the database refuses, so that they alone are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from jobs.errors import BatchConflictError
from jobs.sources.record import BadRecord
from jobs.writers.written import Written
from models.dialect import Fault, fault_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import Record
    from models.run_file import Origin

    Write = Callable[..., Awaitable[Written]]


async def write_or_bisect(
    session: AsyncSession, origin: Origin, records: Sequence[Record], write: Write
) -> tuple[Written, list[BadRecord]]:
    """Write records in a savepoint; what the database refuses is halved until the bad ones stand alone.

    Raises:
        BatchConflictError: another transaction inserted one of the records first, or deleted what it changes.

    """
    try:
        async with session.begin_nested():
            return await write(session, origin, records), []
    except StaleDataError as error:
        raise BatchConflictError from error
    except DBAPIError as error:
        fault = fault_of(error)
        if fault is Fault.CONFLICT:
            raise BatchConflictError from error
        if fault is not Fault.ROW:
            raise
        if len(records) == 1:
            return Written(), [_refused(records[0], error)]
    half = len(records) // 2
    first, refused_first = await write_or_bisect(session, origin, records[:half], write)
    second, refused_second = await write_or_bisect(session, origin, records[half:], write)
    return first + second, refused_first + refused_second


def _refused(record: Record, error: DBAPIError) -> BadRecord:
    reason = str(error.orig).splitlines()[0]
    return BadRecord(offset=record.offset, end=record.end, raw=record.raw, rule="database", reason=reason)
