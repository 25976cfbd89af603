"""The schedule: which jobs start by themselves, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSimError

from jobs.requests import PruneHistory, RebuildAuthorStats, RefreshAuthorStats, Request
from models.author_stats import all_fresh
from models.outbox import Unique
from worker.catch_up import CatchUp
from worker.crontab import Crontab
from worker.source_file import read_sources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources
    from worker.settings import Settings
    from worker.source_file import ScheduledSource


class ScheduleError(Exception):
    """An entry of the schedule can never be kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and the crontab expression of its ticks, meant in `time_zone` or else in HEADRACE_TIME_ZONE.

    `unless` may say, in the tick's transaction, that there is nothing to do; then no run is made. With
    `merge`, a run that is still waiting serves the ticks that come meanwhile.
    """

    name: str
    request: Callable[[Settings], Request]
    cron: str
    time_zone: str | None = None
    catch_up: CatchUp = CatchUp.LAST
    unless: Callable[[AsyncSession], Awaitable[bool]] | None = None
    merge: bool = False

    def crontab(self, settings: Settings) -> Crontab:
        """Give the expression in its zone."""
        return Crontab(self.cron, ZoneInfo(self.time_zone) if self.time_zone else settings.zone)


SCHEDULE: tuple[Entry, ...] = (
    Entry(
        "refresh-stats",
        lambda _: RefreshAuthorStats(),
        "* * * * *",
        catch_up=CatchUp.SKIP,
        unless=all_fresh,
        merge=True,
    ),
    Entry("rebuild-stats", lambda _: RebuildAuthorStats(), "10 3 * * *"),
    Entry("prune-history", lambda settings: PruneHistory(keep_days=settings.keep_days), "40 4 * * *"),
)


def schedule_of(settings: Settings, sources: Sequence[ScheduledSource] | None = None) -> tuple[Entry, ...]:
    """Give the table's entries and those of the sources that are imported by the clock, read unless given.

    Raises:
        SourceFileError: the file of sources cannot be kept.
        ScheduleError: a source has the name of an entry of ours.

    """
    sources = read_sources(settings.sources) if sources is None else sources
    ours = {entry.name for entry in SCHEDULE}
    if taken := [source.name for source in sources if source.name in ours]:
        raise ScheduleError(f"{settings.sources}: the name {taken[0]!r} is one of the schedule's own")
    return (*SCHEDULE, *(_entry_of(source, settings) for source in sources))


def _entry_of(source: ScheduledSource, settings: Settings) -> Entry:
    folder = settings.sources.resolve().parent if settings.sources else Path()
    request = source.request(folder)
    return Entry(source.name, lambda _: request, source.cron, source.time_zone, merge=True)


async def start_run(resources: Resources, session: AsyncSession, entry: Entry) -> UUID | None:
    """Ask for an entry's job in the caller's transaction; None if there is nothing to do."""
    if entry.unless and await entry.unless(session):
        return None
    request = entry.request(resources.settings)
    key = f"schedule {entry.name}" if entry.merge else None
    return await resources.client.enqueue(
        request, session=session, unique_key=key, unique=Unique.UNTIL_STARTED
    )


def check_schedule(settings: Settings, schedule: tuple[Entry, ...] | None = None) -> None:
    """See that every entry falls due some day and can make its request.

    Raises:
        SourceFileError: the file of sources cannot be kept.
        ScheduleError: one line that names the entry and what is wrong with it.

    """
    for entry in schedule_of(settings) if schedule is None else schedule:
        if (reason := _fault_of(entry, settings)) is not None:
            raise ScheduleError(
                f"the schedule's entry {entry.name!r} ({entry.cron}) cannot be kept: {reason}"
            )


def _fault_of(entry: Entry, settings: Settings) -> str | None:
    try:
        entry.request(settings)
        found = entry.crontab(settings).next(datetime.now(UTC))
    except CronSimError as error:
        return f"no such time: {error}"
    except (ZoneInfoNotFoundError, OSError):
        return f"unknown time zone {entry.time_zone!r}"
    except ValueError as error:
        return " ".join(str(error).split())
    return None if found else "it never falls due"
