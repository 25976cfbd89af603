"""The sources that are imported by the clock as documents: what the command prints and the API answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.fetching.places import shown
from models.run import State
from models.source_state import source_states
from worker.schedule import schedule_of
from worker.schedule_documents import schedule_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.source_state import SourceState
    from worker.settings import Settings
    from worker.source_file import ScheduledSource


async def source_documents(
    session: AsyncSession, settings: Settings, sources: Sequence[ScheduledSource]
) -> list[dict[str, Any]]:
    """Describe sources: where they lie, when they are due, and how they do."""
    states = await source_states(session, [source.name for source in sources])
    schedule = schedule_of(settings, sources)
    entries = {entry["name"]: entry for entry in await schedule_documents(session, settings, schedule)}
    return [_document(source, states.get(source.name), entries[source.name]) for source in sources]


def _document(source: ScheduledSource, state: SourceState | None, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": source.name,
        "site": source.site,
        "urls": [shown(url) for url in source.places],
        "cron": source.cron,
        "time_zone": entry["time_zone"],
        "state": _state_of(state, entry["last_state"]),
        "alarm": state.alarm if state else None,
        "alarm_since": state.alarm_since if state else None,
        "expect": source.expect,
        "counts": (state.counts if state else None) or {},
        "checked_at": state.checked_at if state else None,
        "changed_at": state.changed_at if state else None,
        "last_run_id": str(state.run_id) if state and state.run_id else entry["last_run_id"],
        "last_state": entry["last_state"],
        "next_tick": entry["next_tick"],
    }


def _state_of(state: SourceState | None, last_state: str | None) -> str:
    """Say how a source is: an alarm goes before a run that failed for another reason."""
    if state and state.alarm:
        return "alarm"
    if last_state == State.FAILED:
        return "failed"
    if state is None or state.changed_at is None:
        return "new"
    return "ok" if state.checked_at == state.changed_at else "unchanged"
