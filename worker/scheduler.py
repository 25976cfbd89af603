"""The scheduler: every worker takes the ticks that are due, each of them once among all, without Redis."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from models.database import to_its_end
from models.schedule import begin_schedules, hold_schedule, move_schedule, seen_schedules
from models.tick import link_tick, take_tick
from worker.catch_up import due
from worker.rounds import beside, over
from worker.schedule import Entry, check_schedule, schedule_of, start_run

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources

log = structlog.get_logger("headrace.scheduler")

LONGEST_SLEEP = timedelta(seconds=10)  # the database's clock may be set, and entries may be begun anew
HELD_SECONDS = 0.5
AWAY_SECONDS = 1.0


@asynccontextmanager
async def scheduling(resources: Resources, schedule: tuple[Entry, ...] | None = None) -> AsyncIterator[None]:
    """Keep the schedule that the settings give, or another one, for as long as the block lasts.

    Raises:
        SourceFileError: the file of sources cannot be kept.
        ScheduleError: an entry can never be kept.

    """
    schedule = schedule_of(resources.settings) if schedule is None else schedule
    check_schedule(resources.settings, schedule)
    async with beside(partial(keep_scheduling, resources, schedule)) as tasks:
        tasks[0].add_done_callback(_say_if_it_failed)
        yield


def _say_if_it_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("schedule.ended", exc_info=error)


async def keep_scheduling(resources: Resources, schedule: tuple[Entry, ...], stop: asyncio.Event) -> None:
    """Take ticks as they fall due; say once that the database is away, and once that it is back."""
    away_rounds, seconds = 0, 0.0
    while not await over(stop, seconds):
        try:
            seconds = await take_due(resources, schedule)
        except (OSError, SQLAlchemyError) as error:
            if not away_rounds:
                log.warning("schedule.stalled", error=type(error).__name__)
            away_rounds += 1
            seconds = AWAY_SECONDS
        else:
            if away_rounds:
                log.info("schedule.resumed", rounds=away_rounds)
            away_rounds = 0


async def take_due(resources: Resources, schedule: tuple[Entry, ...]) -> float:
    """Take the ticks that are due now; return in how many seconds to look again."""
    async with resources.database.reading() as session:
        moment, seen = await seen_schedules(session)
    if new := [entry.name for entry in schedule if entry.name not in seen]:
        async with resources.database.writing.begin() as session:
            await begin_schedules(session, new)
        return 0.0
    horizon = moment + LONGEST_SLEEP
    nexts = {
        entry: next(entry.crontab(resources.settings).ticks(seen[entry.name], horizon), horizon)
        for entry in schedule
    }
    fallen_due = [entry for entry, tick in nexts.items() if tick <= moment]
    if fallen_due:
        # A shutdown must not cut a transaction short that writes several rows.
        taken = [await to_its_end(take_due_of(resources, entry)) for entry in fallen_due]
        return 0.0 if all(taken) else HELD_SECONDS
    return (min(nexts.values()) - moment).total_seconds()


async def take_due_of(resources: Resources, entry: Entry) -> bool:
    """Take an entry's due ticks and start their runs, committed together; False if another is at it."""
    async with resources.database.writing.begin() as session:
        held = await hold_schedule(session, entry.name)
        if held is None:
            return False
        found = due(entry.crontab(resources.settings), entry.catch_up, *held)
        if found is None:
            return True
        runs = {tick: await take(resources, session, entry, tick) for tick in found.ticks}
        await move_schedule(session, entry.name, found.seen_until)
    for tick, run_id in runs.items():
        if run_id is not None:
            log.info("tick.taken", schedule=entry.name, tick=tick.isoformat(), run_id=str(run_id))
    if not runs:
        log.info("tick.let_go", schedule=entry.name, tick=found.seen_until.isoformat())
    return True


async def take(resources: Resources, session: AsyncSession, entry: Entry, tick: datetime) -> UUID | None:
    """Take a tick and start its run; None if there is nothing to do, or if it was taken before.

    A worker of a version before this one takes ticks without holding the entry; the tick's key stops both
    from starting its run.
    """
    if not await take_tick(session, entry.name, tick):
        return None
    run_id = await start_run(resources, session, entry)
    if run_id is not None:
        await link_tick(session, entry.name, tick, run_id)
    return run_id
