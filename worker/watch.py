"""What lets others watch a worker: metrics, probes and traces, for as long as it works."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from sqlalchemy.exc import SQLAlchemyError

from models.queue_depth import Depth, queue_depth
from worker.endpoints import application, serving
from worker.gauges import PoolGauges, QueueGauges, SourceGauges
from worker.health import CHECK_SECONDS, Health, examine, keep_beating
from worker.logs import observed
from worker.metrics import Metrics
from worker.rounds import beside, over
from worker.source_file import read_sources
from worker.source_watch import keep_watching_sources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from worker.resources import Resources

log = structlog.get_logger("headrace.worker")

EVERY_SECONDS = 2.0
COUNTING_SHARE = 0.05  # of the time, at most, goes into counting the queue
LEASES_SILENT = 2  # a loop that is blocked for so many leases has lost its runs


@asynccontextmanager
async def watched(resources: Resources) -> AsyncIterator[None]:
    """Serve metrics and probes if a port is set, and send traces if somebody asked for them.

    Raises:
        ServiceError: the port cannot be had.

    """
    async with AsyncExitStack() as stack:
        if resources.settings.http_port:
            await stack.enter_async_context(_serving(resources))
        if resources.settings.traced:
            await send_traces(resources, stack)
        yield


@asynccontextmanager
async def _serving(resources: Resources) -> AsyncIterator[None]:
    settings, registry, queue = resources.settings, CollectorRegistry(), QueueGauges()
    sources = SourceGauges()
    names = [source.name for source in read_sources(settings.sources)]
    health = Health(alive_seconds=LEASES_SILENT * settings.lease_seconds)
    for collector in (queue, sources, PoolGauges(resources.database)):
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    app = application(registry, health)
    with serving(settings.http_host, settings.http_port, app), observed(Metrics(registry)):
        looking = partial(keep_looking, resources, health, queue)
        watching = partial(keep_watching_sources, resources, names, sources)
        async with beside(partial(keep_beating, health), looking, watching):
            log.info("http.started", host=settings.http_host, port=settings.http_port)
            yield


async def send_traces(resources: Resources, stack: AsyncExitStack) -> None:
    """Send traces until the stack closes, if their library is installed."""
    try:
        otel = import_module("worker.otel")
    except ModuleNotFoundError as error:
        log.warning("traces.unavailable", package=error.name)
    else:
        await stack.enter_async_context(otel.tracing(resources.database))


async def keep_looking(resources: Resources, health: Health, queue: QueueGauges, stop: asyncio.Event) -> None:
    """Look at services and queue again and again, one after the other: both take the same connection."""
    count_at = seconds = 0.0
    while not await over(stop, seconds):
        found = await examine(resources)
        health.checked = (began := time.monotonic()), found
        if began >= count_at:
            depths = await _depths(resources)
            queue.show(depths)
            # A long queue takes long to count, and every worker counts it.
            count_at = began + (time.monotonic() - began) / COUNTING_SHARE if depths is not None else began
        seconds = EVERY_SECONDS


async def _depths(resources: Resources) -> Sequence[Depth] | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS), resources.database.reading() as session:
            return await queue_depth(session)
    except (OSError, SQLAlchemyError):
        return None  # said by readiness, with the reason
