"""What the application holds for as long as it serves, and how a request gets at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from worker.gauges import QueueGauges
from worker.health import Health
from worker.resources import Resources
from worker.schedule import Entry, schedule_of
from worker.source_file import ScheduledSource, read_sources
from worker.web.problems import BusyError

UPKEEP = 2  # connections that tokens and health may need while requests hold the others
WAIT_SECONDS = 5.0


@dataclass(slots=True)
class Held:
    """The resources, what is known of their health, and the places at the database."""

    resources: Resources
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    health: Health = field(default_factory=lambda: Health(alive_seconds=inf))
    queue: QueueGauges = field(default_factory=QueueGauges)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    places: asyncio.Semaphore = field(init=False)
    sources: list[ScheduledSource] = field(init=False)
    schedule: tuple[Entry, ...] = field(init=False)

    def __post_init__(self) -> None:
        settings = self.resources.settings
        self.sources = read_sources(settings.sources)
        self.schedule = schedule_of(settings, self.sources)
        self.places = asyncio.Semaphore(max(self.resources.settings.connections - UPKEEP, 1))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for one of the pool's connections, not for long: who comes again later is served sooner.

        Raises:
            BusyError: all are in use.

        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.places.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            yield
        finally:
            self.places.release()


async def held_by(request: Request) -> Held:
    """Give what the application of a request holds."""
    held: Held = request.app.state.held
    return held


Holding = Annotated[Held, Depends(held_by)]
