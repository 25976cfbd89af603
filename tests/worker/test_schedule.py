"""The schedule: what runs when, and entries that can never be kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.requests import PruneHistory, RebuildAuthorStats
from worker.catch_up import CatchUp
from worker.schedule import SCHEDULE, Entry, ScheduleError, check_schedule
from worker.settings import Settings, SettingsError, read_settings

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
