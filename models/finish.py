"""Writing down how attempts ended, many with one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Boolean, Double, Integer, bindparam, case, update

from models.clock import now
from models.run import FINISHED, Run, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt: the run's new state, and what goes with it."""

    run_id: UUID
    state: State
    result: dict[str, Any] | None = None
    error: str | None = None
    delay_seconds: float = 0.0
    """Where the run is queued again: until it is due."""
    failed: bool = False
    """Whether this attempt counts as one that failed."""


_runs = cast("Table", Run.__table__)
_again = bindparam("again", type_=Boolean())
_FINISH = (
    update(_runs)
    .where(_runs.c.id == bindparam("run_id"))
    .values(
        state=bindparam("new_state"),
        result=bindparam("new_result"),
        error=bindparam("new_error"),
        run_at=case((_again, now(bindparam("delay_seconds", type_=Double()))), else_=_runs.c.run_at),
        finished_at=case((_again, None), else_=now()),
        failures=_runs.c.failures + bindparam("failed", type_=Integer()),
        worker=case((_again, None), else_=_runs.c.worker),
        lease_until=None,
    )
)


async def finish(session: AsyncSession, endings: Sequence[Ending]) -> None:
    """Write endings of attempts whose runs this transaction has locked and found to be held."""
    rows = [
        {
            "run_id": ending.run_id,
            "new_state": ending.state,
            "new_result": ending.result,
            "new_error": ending.error,
            "again": ending.state not in FINISHED,
            "delay_seconds": ending.delay_seconds,
            "failed": int(ending.failed),
        }
        for ending in endings
    ]
    if rows:
        await session.execute(_FINISH, rows)
