"""The schedule: each tick starts one run, whoever sees it first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from models import Run, Tick
from tests.conftest import both_databases
from tests.factories import post, store, user
from worker.arq_worker import Worker
from worker.execution import Executor
from worker.schedule import SCHEDULE, cron_jobs, take
from worker.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from arq.cron import CronJob

    from worker.resources import Resources

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def by_name(resources: Resources) -> dict[str, CronJob]:
    return {job.name: job for job in cron_jobs(resources)}


def next_after(job: CronJob, moment: datetime) -> datetime:
    job.calculate_next(moment)
    assert job.next_run is not None
    return job.next_run


async def test_the_table_says_what_runs_when(resources: Resources) -> None:
    jobs = by_name(resources)
    assert next_after(jobs["refresh-stats"], NOON) == NOON + timedelta(minutes=1)
    assert next_after(jobs["rebuild-stats"], NOON) == NOON.replace(day=29, hour=3, minute=10)
    assert next_after(jobs["prune-history"], NOON) == NOON.replace(day=29, hour=4, minute=40)


async def test_hours_are_meant_in_the_named_zone_also_after_the_clocks_change(resources: Resources) -> None:
    paris = ZoneInfo("Europe/Paris")
    evening = datetime(2026, 3, 28, 22, tzinfo=paris)  # summer time begins in this night
    nightly = next_after(by_name(resources)["rebuild-stats"], evening)
    assert nightly == datetime(2026, 3, 29, 3, 10, tzinfo=paris)
    assert nightly.astimezone(UTC).hour == 1


@both_databases
async def test_a_tick_starts_one_run_among_many_workers(resources: Resources) -> None:
    entry = SCHEDULE[1]
    taken = await asyncio.gather(*(take(resources, entry, NOON) for _ in range(6)))
    assert sorted(taken) == [False] * 5 + [True]
    assert await take(resources, entry, NOON + timedelta(minutes=1))
    async with resources.database.reading() as session:
        assert [run.job for run in await session.scalars(select(Run))] == ["rebuild_author_stats"] * 2
        ticks = (await session.scalars(select(Tick))).all()
    assert {tick.tick for tick in ticks} == {NOON, NOON + timedelta(minutes=1)}
    assert all(tick.run_id for tick in ticks)


@both_databases
async def test_a_refresh_is_started_only_for_stale_authors(resources: Resources) -> None:
    assert await take(resources, SCHEDULE[0], NOON)
    await store(resources.database, user(1), post("a", 1))
    assert await take(resources, SCHEDULE[0], NOON + timedelta(minutes=1))
    async with resources.database.reading() as session:
        assert [run.job for run in await session.scalars(select(Run))] == ["refresh_author_stats"]


async def test_arq_carries_a_tick_into_the_ledger(resources: Resources) -> None:
    worker = Worker(Executor(resources), burst=True, cron=cron_jobs(resources))
    soon = datetime.now(UTC).replace(microsecond=0)  # a tick has no fraction
    worker.cron_jobs[0].next_run = soon
    await worker.heart_beat()
    worker.cron_jobs.clear()  # or a real minute that begins just now would be a second tick
    await worker.main()
    await worker.close()
    async with resources.database.reading() as session:
        tick = (await session.scalars(select(Tick))).one()
    assert (tick.schedule, tick.tick) == ("refresh-stats", soon)


def test_an_unknown_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_TIME_ZONE", "Mars/Olympus")
    with pytest.raises(SettingsError, match="HEADRACE_TIME_ZONE: unknown time zone 'Mars/Olympus'"):
        read_settings()
