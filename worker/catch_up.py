"""What becomes of the ticks that were missed while no worker ran."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from worker.crontab import Crontab

GRACE = timedelta(seconds=60)
MOST_AT_ONCE = 100  # ticks in one transaction; the next one goes on from there


class CatchUp(StrEnum):
    """Of the ticks that are due: take none older than the grace, the newest alone, or each."""

    SKIP = "skip"
    LAST = "last"
    ALL = "all"


class Due(NamedTuple):
    """The ticks to take, in order, and up to where the entry is then worked off."""

    ticks: list[datetime]
    seen_until: datetime


def due(crontab: Crontab, catch_up: CatchUp, seen_until: datetime, now: datetime) -> Due | None:
    """Say which of the ticks in (`seen_until`, `now`] to take; None if none has fallen due."""
    if catch_up is CatchUp.ALL:
        each = list(islice(crontab.ticks(seen_until, now), MOST_AT_ONCE))
        return Due(each, each[-1]) if each else None
    newest = crontab.newest(seen_until, now)
    if newest is None:
        return None
    let_go = catch_up is CatchUp.SKIP and newest <= now - GRACE
    return Due([] if let_go else [newest], newest)
