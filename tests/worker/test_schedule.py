"""The schedule: what runs when, and entries that can never be kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobs.requests import PruneHistory, RebuildAuthorStats
from models.claim import claim
from tests.conftest import every_database
from tests.factories import post, store, user
from worker.catch_up import CatchUp
from worker.schedule import SCHEDULE, Entry, ScheduleError, check_schedule, start_run
from worker.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from uuid import UUID

    from worker.resources import Resources

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
NAMES = ["refresh-stats", "rebuild-stats", "prune-history"]


def entry(**overrides: Any) -> Entry:
    values: dict[str, Any] = {"name": "a", "request": lambda _: RebuildAuthorStats(), "cron": "10 3 * * *"}
    return Entry(**(values | overrides))


def test_the_table_says_what_runs_when() -> None:
    settings = Settings()
    assert [entry.crontab(settings).next(NOON) for entry in SCHEDULE] == [
        NOON + timedelta(minutes=1),
        NOON.replace(day=29, hour=3, minute=10),
        NOON.replace(day=29, hour=4, minute=40),
    ]
    assert [entry.name for entry in SCHEDULE] == NAMES
    assert [entry.catch_up for entry in SCHEDULE] == [CatchUp.SKIP, CatchUp.LAST, CatchUp.LAST]
    check_schedule(settings)


def test_hours_are_meant_in_the_zone_of_the_setting_or_of_the_entry() -> None:
    settings = Settings(time_zone="Europe/Paris")
    assert entry().crontab(settings).next(NOON) == NOON.replace(day=29, hour=1, minute=10)
    kolkata = entry(time_zone="Asia/Kolkata").crontab(settings)
    assert kolkata.next(NOON) == NOON.replace(hour=21, minute=40)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"cron": "0 0 30 2 *"}, "no such time: Bad day-of-month"),
        ({"cron": "0 0 */31 2 MON#5"}, "it never falls due"),
        ({"cron": "* *"}, "no such time: Wrong number of fields"),
        ({"time_zone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'"),
        ({"request": lambda _: PruneHistory(keep_days=-1)}, "keep_days"),
    ],
)
def test_an_entry_that_cannot_be_kept_is_named_in_one_line(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScheduleError) as raised:
        check_schedule(Settings(), (entry(name="wrong", **wrong),))
    assert "'wrong'" in str(raised.value)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_TIME_ZONE", "Mars/Olympus")
    with pytest.raises(SettingsError, match="HEADRACE_TIME_ZONE: unknown time zone 'Mars/Olympus'"):
        read_settings()


@every_database
async def test_a_run_that_still_waits_serves_the_ticks_that_come_meanwhile(resources: Resources) -> None:
    async def tick() -> UUID | None:
        async with resources.database.writing.begin() as session:
            return await start_run(resources, session, SCHEDULE[0])

    assert await tick() is None  # nothing is stale
    await store(resources.database, user(1), post("a", 1))
    first = await tick()
    assert first is not None
    assert await tick() == first
    async with resources.database.writing.begin() as session:
        assert len(await claim(session, [first], "tests", 60)) == 1
    second = await tick()
    assert second not in {None, first}
    assert await tick() == second
