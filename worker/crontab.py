"""When a crontab expression falls due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

FOR_EVER = datetime.max.replace(tzinfo=UTC)
FIRST_REACH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Crontab:
    """Minute, hour, day, month and weekday, meant in a time zone; ticks are given in UTC, in order.

    A sixth field in front is the second.

    As Debian's cron has it, a time of day that the clocks skip in spring falls due when they have moved, and
    one that they repeat in autumn falls due the first time. Where minute or hour begin with `*`, the
    expression follows the clock: nothing in the hour that is skipped, twice in the one that is repeated.

    Raises:
        cronsim.CronSimError: by each method, if the expression cannot be read or names no day of any year.

    """

    expression: str
    zone: ZoneInfo

    def ticks(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Give the ticks after a moment, up to and including another."""
        for moment in CronSim(self.expression, after.astimezone(self.zone)):
            tick = moment.astimezone(UTC)
            if tick > until:
                return
            # Asked within a repeated hour, cronsim begins with the first time of it, which has passed.
            if tick > after:
                yield tick

    def next(self, after: datetime) -> datetime | None:
        """Give the first tick after a moment; None if there is none within fifty years."""
        return next(self.ticks(after, FOR_EVER), None)

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        """Give the last of the ticks; it looks back in steps, so that a year of minutes costs no time."""
        reach = FIRST_REACH
        while True:
            start = max(after, until - reach)
            found = list(self.ticks(start, until))
            if found or start == after:
                return found[-1] if found else None
            reach *= 2
