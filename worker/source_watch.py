"""Looking at the alarms of sources again and again, for the metrics of a process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from models.source_state import source_states
from worker.health import CHECK_SECONDS
from worker.rounds import over

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.gauges import SourceGauges
    from worker.resources import Resources

EVERY_SECONDS = 15.0  # alarms come with runs, of which a source has a few a day


async def keep_watching_sources(
    resources: Resources, names: Collection[str], gauges: SourceGauges, stop: asyncio.Event
) -> None:
    """Look at the alarms of sources of these names."""
    seconds = 0.0
    while names and not await over(stop, seconds):
        gauges.show(await _alarms(resources, names))
        seconds = EVERY_SECONDS


async def _alarms(resources: Resources, names: Collection[str]) -> dict[str, bool] | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS), resources.database.reading() as session:
            states = await source_states(session, names)
    except (OSError, SQLAlchemyError):
        return None  # said by readiness, with the reason
    return {name: name in states and states[name].alarm is not None for name in names}
