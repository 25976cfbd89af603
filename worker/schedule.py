"""The schedule: which jobs start by themselves, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from arq import cron

from jobs.requests import PruneHistory, RebuildAuthorStats, RefreshAuthorStats, Request
from models.author_stats import all_fresh
from models.tick import Tick, take_tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from arq.cron import CronJob
    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources
    from worker.settings import Settings

log = structlog.get_logger("headrace.schedule")


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and its times of day, in the zone of HEADRACE_TIME_ZONE; None means every hour or minute.

    `unless` may say, in the tick's transaction, that there is nothing to do; then no run is made.
    """

    name: str
    request: Callable[[Settings], Request]
    hour: int | None = None
    minute: int | None = None
    unless: Callable[[AsyncSession], Awaitable[bool]] | None = None


SCHEDULE: tuple[Entry, ...] = (
    Entry("refresh-stats", lambda _: RefreshAuthorStats(), unless=all_fresh),
    Entry("rebuild-stats", lambda _: RebuildAuthorStats(), hour=3, minute=10),
    Entry("prune-history", lambda settings: PruneHistory(keep_days=settings.keep_days), hour=4, minute=40),
)


def cron_jobs(resources: Resources) -> list[CronJob]:
    """Make arq's cron jobs from the table; each only writes a run, which then has tries and a history."""
    return [
        cron(
            _ticker(resources, entry),
            name=entry.name,
            hour=entry.hour,
            minute=entry.minute,
            second=0,
            microsecond=0,
        )
        for entry in SCHEDULE
    ]


def _ticker(resources: Resources, entry: Entry) -> Any:
    async def tick(ctx: dict[Any, Any]) -> None:
        # arq gives the tick's message the id "<name>:<milliseconds>" on every worker alike.
        moment = datetime.fromtimestamp(int(ctx["job_id"].rpartition(":")[2]) / 1_000, UTC)
        await take(resources, entry, moment)

    return tick


async def take(resources: Resources, entry: Entry, moment: datetime) -> bool:
    """Take a tick and start its run, committed together; False if another worker was first."""
    async with resources.database.writing.begin() as session:
        if not await take_tick(session, entry.name, moment):
            return False
        if entry.unless and await entry.unless(session):
            return True
        run_id = await resources.client.enqueue(entry.request(resources.settings), session=session)
        (await session.get_one(Tick, (entry.name, moment))).run_id = run_id
        await session.flush()
    log.info("tick.taken", schedule=entry.name, tick=moment.isoformat(), run_id=str(run_id))
    return True
