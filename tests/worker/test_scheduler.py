"""The scheduler: each tick starts one run, whoever sees it first and whatever goes away meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from jobs.client import JobClient
from jobs.requests import RebuildAuthorStats
from models import Run, Schedule, Tick
from models.author_stats import all_fresh
from models.clock import now
from models.dialect import dialect_of
from models.schedule import hold_schedule, move_schedule, seen_schedules
from models.tick import take_tick, ticks
from tests.conftest import every_database, many_writers
from tests.factories import post, store, user
from worker.arq_redis import open_redis
from worker.catch_up import MOST_AT_ONCE, CatchUp
from worker.resources import open_resources
from worker.schedule import Entry, ScheduleError
from worker.scheduler import HELD_SECONDS, LONGEST_SLEEP, scheduling, take_due

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources
    from worker.settings import Settings

SCHEDULERS = 20
MINUTE = timedelta(minutes=1)


async def clock(resources: Resources) -> datetime:
    async with resources.database.reading() as session:
        return (await session.execute(select(now()))).scalar_one()


async def hourly(resources: Resources, **overrides: Any) -> Entry:
    """Make an entry of which no tick falls due while a test runs: the next one is half an hour ahead."""
    minute = (await clock(resources) + 30 * MINUTE).minute
    values: dict[str, Any] = {"name": "a", "request": lambda _: RebuildAuthorStats()}
    return Entry(**(values | {"cron": f"{minute} * * * *"} | overrides))


async def down_for(resources: Resources, entry: Entry, hours: int) -> list[datetime]:
    """Leave the entry as workers do that ended hours ago; give the ticks that were missed."""
    moment = await clock(resources)
    since = moment - timedelta(hours=hours)
    async with resources.database.writing.begin() as session:
        session.add(Schedule(name=entry.name, seen_until=since))
    return list(entry.crontab(resources.settings).ticks(since, moment))


async def work_off(resources: Resources, *schedule: Entry) -> float:
    while not (seconds := await take_due(resources, schedule)):
        pass
    return seconds


async def ticks_of(resources: Resources) -> Sequence[Tick]:
    async with resources.database.reading() as session:
        return (await session.scalars(select(Tick).order_by(ticks.c.tick))).all()


async def runs_of(resources: Resources) -> Sequence[Run]:
    async with resources.database.reading() as session:
        return (await session.scalars(select(Run))).all()


async def seen_until(resources: Resources, entry: Entry) -> datetime:
    async with resources.database.reading() as session:
        return (await seen_schedules(session))[1][entry.name]


@every_database
async def test_a_missed_tick_starts_one_run_among_many_workers(settings: Settings) -> None:
    enough = settings.model_copy(update={"pool_size": SCHEDULERS})
    async with open_resources(enough, redis=True) as resources:
        entry = await hourly(resources)
        missed = await down_for(resources, entry, 3)
        await asyncio.gather(*(work_off(resources, entry) for _ in range(SCHEDULERS)))
        (tick,), (run,) = await ticks_of(resources), await runs_of(resources)
    assert (tick.tick, tick.run_id) == (missed[-1], run.id)
    assert run.job == "rebuild_author_stats"


@every_database
async def test_an_entry_that_is_new_begins_now_and_makes_up_for_nothing(resources: Resources) -> None:
    entry = await hourly(resources, catch_up=CatchUp.ALL)
    before = await clock(resources)
    assert await work_off(resources, entry) == LONGEST_SLEEP.total_seconds()
    assert before <= await seen_until(resources, entry) <= await clock(resources)
    assert not await ticks_of(resources)


@every_database
@pytest.mark.parametrize(("catch_up", "taken"), [("skip", 0), ("last", 1), ("all", 5)])
async def test_after_downtime_none_the_last_or_all_ticks_are_made_up_for(
    resources: Resources, catch_up: str, taken: int
) -> None:
    entry = await hourly(resources, catch_up=CatchUp(catch_up))
    missed = await down_for(resources, entry, 5)
    for _ in range(2):
        await work_off(resources, entry)
        assert [tick.tick for tick in await ticks_of(resources)] == missed[len(missed) - taken :]
        assert {tick.run_id for tick in await ticks_of(resources)} == {
            run.id for run in await runs_of(resources)
        }
        assert await seen_until(resources, entry) == missed[-1]


async def test_many_ticks_are_made_up_for_in_order_and_in_several_transactions(resources: Resources) -> None:
    entry = await hourly(resources, cron="* * * * *", catch_up=CatchUp.ALL)
    missed = await down_for(resources, entry, 2)
    assert len(missed) > MOST_AT_ONCE
    assert await take_due(resources, (entry,)) == 0
    assert [tick.tick for tick in await ticks_of(resources)] == missed[:MOST_AT_ONCE]
    await work_off(resources, entry)
    assert [tick.tick for tick in await ticks_of(resources)][: len(missed)] == missed


@every_database
async def test_a_tick_with_nothing_to_do_is_taken_and_starts_no_run(resources: Resources) -> None:
    entry = await hourly(resources, unless=all_fresh)
    await down_for(resources, entry, 1)
    await work_off(resources, entry)
    assert [tick.run_id for tick in await ticks_of(resources)] == [None]
    await store(resources.database, user(1), post("a", 1))
    stale = replace(entry, name="b")
    await down_for(resources, stale, 1)
    await work_off(resources, entry, stale)
    assert [run.job for run in await runs_of(resources)] == ["rebuild_author_stats"]


@every_database
async def test_a_tick_whose_transaction_is_lost_is_left_for_the_next_worker(resources: Resources) -> None:
    async def cut_off(_session: AsyncSession) -> bool:
        raise ConnectionError

    entry = await hourly(resources)
    missed = await down_for(resources, entry, 2)
    with pytest.raises(ConnectionError):
        await work_off(resources, replace(entry, unless=cut_off))
    assert not await ticks_of(resources)
    assert await seen_until(resources, entry) < missed[0]
    await work_off(resources, entry)
    assert [tick.tick for tick in await ticks_of(resources)] == missed[-1:]


@every_database
async def test_a_tick_that_a_worker_of_the_version_before_took_is_not_taken_again(
    resources: Resources,
) -> None:
    entry = await hourly(resources, catch_up=CatchUp.ALL)
    missed = await down_for(resources, entry, 3)
    async with resources.database.writing.begin() as session:
        assert await take_tick(session, entry.name, missed[1])
    await work_off(resources, entry)
    taken = await ticks_of(resources)
    assert [tick.tick for tick in taken] == missed
    assert [tick.run_id is None for tick in taken] == [False, True, False]
    assert await seen_until(resources, entry) == missed[-1]


@many_writers
async def test_an_entry_that_another_worker_holds_is_left_to_it_and_holds_up_no_other(
    resources: Resources,
) -> None:
    held = await hourly(resources)
    free = replace(held, name="b")
    await down_for(resources, held, 1)
    await down_for(resources, free, 1)
    async with resources.database.writing.begin() as session:
        assert await hold_schedule(session, held.name)
        assert await take_due(resources, (held, free)) == HELD_SECONDS
        assert [tick.schedule for tick in await ticks_of(resources)] == ["b"]


@every_database
async def test_the_schedule_never_moves_back(resources: Resources) -> None:
    entry = await hourly(resources)
    missed = await down_for(resources, entry, 2)
    await work_off(resources, entry)
    async with resources.database.writing.begin() as session:
        await move_schedule(session, entry.name, missed[0])
    assert await seen_until(resources, entry) == missed[-1]


@every_database
async def test_several_workers_take_each_second_once_as_it_comes(resources: Resources) -> None:
    entry = await hourly(resources, cron="* * * * * *", catch_up=CatchUp.ALL)
    async with scheduling(resources, (entry,)), scheduling(resources, (entry,)), asyncio.timeout(120):
        while len(taken := await ticks_of(resources)) < 3:
            await asyncio.sleep(0.1)
    first = taken[0].tick
    assert [tick.tick - first for tick in taken] == [timedelta(seconds=n) for n in range(len(taken))]
    assert len({tick.run_id for tick in taken} - {None}) == len(taken)


@every_database
async def test_redis_is_not_needed_for_a_tick(resources: Resources) -> None:
    dead = open_redis("redis://127.0.0.1:1/0", resources.settings.queue)
    alone = replace(resources, redis=dead, client=JobClient(resources.database, dead))
    entry = await hourly(resources)
    await down_for(resources, entry, 2)
    await work_off(alone, entry)
    await alone.client.wait_for_bells()
    await dead.aclose(close_connection_pool=True)
    assert [run.state for run in await runs_of(resources)] == ["queued"]


async def test_the_databases_clock_says_what_is_due(settings: Settings, resources: Resources) -> None:
    """A server whose clock is an hour ahead of ours, as its new connections see it."""
    entry = await hourly(resources)
    await work_off(resources, entry)
    async with resources.database.writing.begin() as session:
        await session.execute(text("CREATE SCHEMA ahead"))
        await session.execute(
            text(
                "CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE "
                "AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
            )
        )
        name = make_url(settings.database_url or "").database
        await session.execute(text(f"ALTER DATABASE {name} SET search_path = ahead, pg_catalog, public"))
    async with open_resources(settings, redis=True) as later:
        await work_off(later, entry)
    (tick,) = await ticks_of(resources)
    assert await clock(resources) < tick.tick < await clock(resources) + timedelta(hours=1)


async def test_a_database_that_goes_away_is_said_once_and_the_tick_is_taken_when_it_is_back(
    resources: Resources,
) -> None:
    losses: list[str] = []

    async def lost_twice(session: AsyncSession) -> bool:
        assert dialect_of(session) == "postgresql"
        if len(losses) < 2:
            losses.append("once more")
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return False

    entry = await hourly(resources, unless=lost_twice)
    await down_for(resources, entry, 1)
    with capture_logs() as logs:
        async with scheduling(resources, (entry,)), asyncio.timeout(120):
            while "schedule.resumed" not in {line["event"] for line in logs}:
                await asyncio.sleep(0.05)
    assert [line["event"] for line in logs] == ["schedule.stalled", "tick.taken", "schedule.resumed"]
    assert (logs[0]["error"], logs[2]["rounds"]) == (DBAPIError.__name__, 2)
    assert len(await runs_of(resources)) == 1


async def test_a_schedule_that_cannot_be_kept_does_not_start(resources: Resources) -> None:
    entry = await hourly(resources, cron="0 0 30 2 *")
    with pytest.raises(ScheduleError, match="cannot be kept"):
        async with scheduling(resources, (entry,)):
            pytest.fail("it started")


async def test_an_entry_with_a_bug_is_said_and_does_not_stop_the_worker(resources: Resources) -> None:
    async def bug(_session: AsyncSession) -> bool:
        raise KeyError

    entry = await hourly(resources, unless=bug)
    await down_for(resources, entry, 1)
    with capture_logs() as logs:
        async with scheduling(resources, (entry,)), asyncio.timeout(120):
            while not logs:
                await asyncio.sleep(0.05)
    assert [(line["event"], line["log_level"]) for line in logs] == [("schedule.ended", "error")]
