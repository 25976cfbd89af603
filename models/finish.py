"""Writing down how attempts ended, many with one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Boolean, Double, Integer, bindparam, case, update

from models.claim import held, still_held
from models.clock import now
from models.run import FINISHED, Run, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.claim import Held


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt: the run's new state, and what goes with it."""

    run_id: UUID
    attempt: int
    state: State
    result: dict[str, Any] | None = None
    error: str | None = None
    delay_seconds: float = 0.0
    """Where the run is queued again: until it is due."""
    failed: bool = False
    """Whether this attempt counts as one that failed."""

    @property
    def held(self) -> Held:
        """The run, and the attempt that has to hold it."""
        return self.run_id, self.attempt


_runs = cast("Table", Run.__table__)
_again = bindparam("again", type_=Boolean())
_FINISH = (
    update(_runs)
    .where(held(bindparam("run_id"), bindparam("held_attempt")))
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


async def finish(session: AsyncSession, endings: Sequence[Ending]) -> set[Held]:
    """Write the endings of attempts that still hold their runs; tell which these are.

    A single one finds out by what it writes; several are locked before, since a driver that sends them
    together does not say which of them matched.
    """
    if len(endings) == 1:
        done = await session.execute(_FINISH, _values(endings[0]))
        return {endings[0].held} if done.rowcount else set()  # type: ignore[attr-defined]
    ours = await still_held(session, [ending.held for ending in endings], lock=True)
    if rows := [_values(ending) for ending in endings if ending.held in ours]:
        await session.execute(_FINISH, rows)
    return ours


def _values(ending: Ending) -> dict[str, Any]:
    return {
        "run_id": ending.run_id,
        "held_attempt": ending.attempt,
        "new_state": ending.state,
        "new_result": ending.result,
        "new_error": ending.error,
        "again": ending.state not in FINISHED,
        "delay_seconds": ending.delay_seconds,
        "failed": int(ending.failed),
    }
