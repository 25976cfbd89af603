"""Which of the missed ticks are taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.catch_up import MOST_AT_ONCE, CatchUp, Due, due
from worker.crontab import Crontab

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)


def test_each_way_to_catch_up_takes_other_ticks() -> None:
    hourly = Crontab("0 * * * *", ZoneInfo("UTC"))
    now = NOON + timedelta(hours=3, minutes=5)
    missed = [NOON + timedelta(hours=hour) for hour in (1, 2, 3)]
    assert due(hourly, CatchUp.SKIP, NOON, now) == Due([], missed[-1])
    assert due(hourly, CatchUp.LAST, NOON, now) == Due(missed[-1:], missed[-1])
    assert due(hourly, CatchUp.ALL, NOON, now) == Due(missed, missed[-1])
    assert [due(hourly, way, now, now + MINUTE) for way in CatchUp] == [None] * 3


def test_a_tick_that_is_taken_a_little_late_is_not_skipped() -> None:
    minutely = Crontab("* * * * *", ZoneInfo("UTC"))
    assert due(minutely, CatchUp.SKIP, NOON, NOON + timedelta(seconds=119)) == Due(
        [NOON + MINUTE], NOON + MINUTE
    )


def test_a_year_of_minutes_is_made_up_for_in_portions() -> None:
    minutely = Crontab("* * * * *", ZoneInfo("UTC"))
    found = due(minutely, CatchUp.ALL, NOON - YEAR, NOON)
    assert found is not None
    assert len(found.ticks) == MOST_AT_ONCE
    assert found.seen_until == NOON - YEAR + MOST_AT_ONCE * MINUTE
