"""The schedule as documents: what `headrace schedule --json` prints and the HTTP API answers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from models.schedule import seen_schedules
from models.tick import last_ticks

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.schedule import Entry
    from worker.settings import Settings

LATE = timedelta(seconds=10)  # a tick that nobody took for so long is one that nobody will take


async def schedule_documents(
    session: AsyncSession, settings: Settings, schedule: tuple[Entry, ...]
) -> list[dict[str, Any]]:
    """Describe every entry."""
    moment, seen = await seen_schedules(session)
    last = {row.schedule: row for row in await last_ticks(session)}
    return [
        _document(settings, entry, moment, seen.get(entry.name), last.get(entry.name)) for entry in schedule
    ]


def _document(
    settings: Settings,
    entry: Entry,
    moment: datetime,
    seen_until: datetime | None,
    last: Row[str, datetime, UUID | None, str | None] | None,
) -> dict[str, Any]:
    """Describe an entry; `due_since` is the first tick that no worker has looked at."""
    crontab = entry.crontab(settings)
    return {
        "name": entry.name,
        "job": entry.request(settings).job,
        "cron": entry.cron,
        "time_zone": crontab.zone.key,
        "catch_up": entry.catch_up,
        "last_tick": last.tick if last else None,
        "last_run_id": str(last.run_id) if last and last.run_id else None,
        "last_state": last.state if last else None,
        "next_tick": crontab.next(moment),
        "seen_until": seen_until,
        "due_since": next(crontab.ticks(seen_until, moment - LATE), None) if seen_until else None,
    }
