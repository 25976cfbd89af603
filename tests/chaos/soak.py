"""One long import that is disturbed again and again, and how long it takes to go on each time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from models import State
from models.run import FINISHED
from tests.factories import run_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random
    from uuid import UUID

    import psutil

    from models import Run
    from tests.chaos.disturbances import Disturbance
    from tests.chaos.fleet import Fleet
    from tests.worker.embedded_house import House
    from worker.resources import Resources

LOOK_SECONDS = 0.02
STUCK_SECONDS = 90.0


class Felt(NamedTuple):
    """A disturbance that was made, and after how many seconds the import committed its next batch."""

    what: Disturbance
    seconds: float


@dataclass(slots=True)
class Soak:
    """The import, those who work on it, and what they live on."""

    house: House
    resources: Resources
    fleet: Fleet
    run_id: UUID
    dice: Random
    most_pause_seconds: float
    felt: list[Felt] = field(default_factory=list)

    async def disturb(self, deck: Sequence[Disturbance]) -> None:
        """Make all disturbances, one after the other, each while the import is going on."""
        for what in deck:
            before, victim = await self.holder()
            struck = time.monotonic()
            await what.strike(self, victim)
            repair = asyncio.create_task(what.repair(self, victim))
            await self._gone_on(before, what)
            self.felt.append(Felt(what, time.monotonic() - struck))
            await repair
            await asyncio.sleep(self.dice.uniform(0, self.most_pause_seconds))

    async def holder(self) -> tuple[Run, psutil.Process]:
        """Wait until a worker of ours is at work on the import, and return the run and the worker."""
        async with asyncio.timeout(STUCK_SECONDS):
            while True:
                run = await self._run()
                assert run is None or run.state not in FINISHED, self._too_short(run)
                if run and run.state == State.RUNNING and (found := self.fleet.worker(str(run.worker))):
                    return run, found
                await asyncio.sleep(LOOK_SECONDS)

    async def _gone_on(self, before: Run, what: Disturbance) -> None:
        """Wait until the import has committed a batch; by another attempt, if this one cannot."""
        first = before.attempt + 1 if what.ends_attempt else before.attempt
        start: int | None = None
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                while True:
                    run = await self._run()
                    assert run is None or run.state not in FINISHED, self._too_short(run)
                    if run and run.attempt >= first:
                        start = run.bytes_done if start is None else start
                        if run.bytes_done > start:
                            return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"no batch for {STUCK_SECONDS} s after {what.name}") from None

    async def _run(self) -> Run | None:
        with suppress(OSError, SQLAlchemyError):  # PostgreSQL may be away just now
            return await run_of(self.resources, self.run_id)
        return None

    def _too_short(self, run: Run) -> str:
        return f"{run.state} after {len(self.felt)} disturbances: {run.error or 'the import was too short'}"
