"""The schedule, kept by several worker processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.conftest import every_database
from tests.worker.test_scheduler import down_for, runs_of, ticks_of
from worker.entry import INTERRUPTED
from worker.schedule import SCHEDULE

if TYPE_CHECKING:
    from tests.conftest import CommandLine
    from worker.resources import Resources


@every_database
async def test_workers_that_start_together_make_up_for_a_missed_night_once(
    resources: Resources, headrace: CommandLine
) -> None:
    rebuild = SCHEDULE[1]
    missed = await down_for(resources, rebuild, 50)
    workers = [headrace.start("worker") for _ in range(3)]
    try:
        async with asyncio.timeout(120):
            while not any(run.state == "succeeded" for run in await runs_of(resources)):
                await asyncio.sleep(0.1)
    finally:
        for worker in workers:
            worker.terminate()
        codes = {await asyncio.to_thread(worker.wait, 30) for worker in workers}
    assert codes <= {0, INTERRUPTED}  # one may have been starting still
    taken = [tick.tick for tick in await ticks_of(resources) if tick.schedule == rebuild.name]
    assert [tick for tick in taken if tick <= missed[-1]] == missed[-1:]
    assert len([run for run in await runs_of(resources) if run.job == "rebuild_author_stats"]) == len(taken)
