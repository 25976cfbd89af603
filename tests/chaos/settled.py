"""When everything is over: no run is queued or running any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from models import Run
from models.run import FINISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from worker.resources import Resources

SETTLED_SECONDS = 120.0


async def settled(resources: Resources, seconds: float = SETTLED_SECONDS) -> Sequence[Run]:
    """Wait until no run is queued or running, and return all; a run that is stuck is told by its row."""
    try:
        async with asyncio.timeout(seconds):
            while await count_runs(resources, Run.state.not_in(FINISHED)) or not await count_runs(resources):
                await asyncio.sleep(0.05)
    except TimeoutError:
        stuck = [run_line(run) for run in await runs_of(resources) if run.state not in FINISHED]
        raise AssertionError(f"stuck after {seconds} s: {stuck}") from None
    return await runs_of(resources)


async def runs_of(resources: Resources) -> Sequence[Run]:
    """Read all runs."""
    async with resources.database.reading() as session:
        return (await session.scalars(select(Run).order_by(Run.created_at))).all()


def run_line(run: Run) -> dict[str, Any]:
    """Put what matters of a run into a line."""
    names = ("job", "state", "attempt", "failures", "crashes", "worker", "run_at", "lease_until", "error")
    return {name: getattr(run, name) for name in names}


async def count_runs(resources: Resources, *conditions: ColumnElement[bool]) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Run).where(*conditions)) or 0
