"""Crontab expressions: when they fall due, also in the nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSimError

from worker.crontab import Crontab

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 02:00 in Paris becomes 03:00
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)  # 03:00 in Paris becomes 02:00
HALF_PAST_TWO = Crontab("30 2 * * *", PARIS)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def every_minute(crontab: Crontab, start: datetime, end: datetime) -> list[datetime]:
    """Ask as a worker does that looks each minute."""
    found, seen = [], start
    while seen < end:
        found += list(crontab.ticks(seen, seen + MINUTE))
        seen += MINUTE
    return found


def test_a_tick_is_after_the_one_moment_and_not_after_the_other() -> None:
    hourly = Crontab("0 * * * *", ZoneInfo("UTC"))
    assert list(hourly.ticks(NOON, NOON + timedelta(hours=2))) == [
        NOON + timedelta(hours=1),
        NOON + timedelta(hours=2),
    ]
    assert list(hourly.ticks(NOON - timedelta(microseconds=1), NOON)) == [NOON]


def test_hours_are_meant_in_the_zone_also_after_the_clocks_change() -> None:
    nightly = Crontab("10 3 * * *", PARIS)
    assert nightly.next(SPRING - timedelta(hours=3)) == datetime(2026, 3, 29, 1, 10, tzinfo=UTC)
    assert nightly.next(SPRING - timedelta(hours=30)) == datetime(2026, 3, 28, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "that_night"), [(SPRING, "03:00"), (AUTUMN, "02:30")], ids=["gap", "twice"]
)
def test_a_time_that_the_clocks_skip_or_repeat_falls_due_once(change: datetime, that_night: str) -> None:
    noon = change.replace(hour=12)
    looked = every_minute(HALF_PAST_TWO, noon - 2 * DAY, noon + DAY)
    assert looked == list(HALF_PAST_TWO.ticks(noon - 2 * DAY, noon + DAY))
    assert [f"{tick.astimezone(PARIS):%H:%M}" for tick in looked] == ["02:30", that_night, "02:30"]
    assert [tick.date() for tick in looked] == [(change + days * DAY).date() for days in (-1, 0, 1)]
    assert looked[1] <= change


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["gap", "twice"])
def test_a_worker_that_comes_back_in_that_hour_finds_the_newest_tick(change: datetime) -> None:
    for minutes in range(-120, 180):
        now = change + timedelta(minutes=minutes)
        assert (
            HALF_PAST_TWO.newest(change - 3 * DAY, now)
            == list(HALF_PAST_TWO.ticks(change - 3 * DAY, now))[-1]
        )


def test_the_newest_minute_of_ten_years_is_found_at_once() -> None:
    minutely = Crontab("* * * * *", PARIS)
    assert minutely.newest(NOON - 3_650 * DAY, NOON + timedelta(seconds=5)) == NOON


def test_a_leap_day_is_found_years_ahead_and_years_back() -> None:
    leap = Crontab("0 0 29 2 *", ZoneInfo("UTC"))
    assert leap.next(NOON) == datetime(2028, 2, 29, tzinfo=UTC)
    assert leap.newest(NOON - 2_000 * DAY, NOON) == datetime(2024, 2, 29, tzinfo=UTC)
    assert leap.newest(NOON - 700 * DAY, NOON) is None


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "61 * * * *", "* * *", "never"])
def test_an_impossible_expression_is_an_error_and_never_hangs(expression: str) -> None:
    with pytest.raises(CronSimError):
        Crontab(expression, PARIS).next(NOON)


def test_a_day_that_never_comes_is_no_tick() -> None:
    assert Crontab("0 0 */31 2 MON#5", PARIS).next(NOON) is None
