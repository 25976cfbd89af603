"""Gauges of what is not an event: the queue as the ledger has it, and this process's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.registry import BY_NAME
from models.queue_depth import Depth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from models.database import Database

QUEUE = (
    ("headrace_queue_depth", "Queued runs that are due", "due"),
    (
        "headrace_queue_oldest_seconds",
        "How long the run that is due the longest has waited",
        "oldest_seconds",
    ),
    ("headrace_queue_later", "Queued runs that are not due yet: retries and runs for later", "later"),
    ("headrace_runs_running", "Runs that workers hold", "running"),
    ("headrace_runs_dead", "Failed runs that are kept", "failed"),
)


class QueueGauges(Collector):
    """The queue as it was last read; none while it cannot be read, rather than old figures."""

    def __init__(self) -> None:
        self._depths: dict[str, Depth] | None = None

    def show(self, depths: Sequence[Depth] | None) -> None:
        """Keep what was read; known jobs without runs count 0, others are gone with their last run."""
        empty = {job: Depth(job) for job in BY_NAME}
        self._depths = None if depths is None else empty | {depth.job: depth for depth in depths}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give the gauges to a scrape, in its thread."""
        for name, says, field in QUEUE:
            family = GaugeMetricFamily(name, says, labels=["job"])
            for job, depth in (self._depths or {}).items():
                family.add_metric([job], getattr(depth, field))
            yield family


class SourceGauges(Collector):
    """Which sources are not as they should be, as it was last read; none while it cannot be read."""

    def __init__(self) -> None:
        self._alarms: dict[str, bool] | None = None

    def show(self, alarms: dict[str, bool] | None) -> None:
        """Keep what was read."""
        self._alarms = alarms

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give the gauge to a scrape, in its thread."""
        says = "Whether a source that is imported by the clock is not as it should be"
        family = GaugeMetricFamily("headrace_source_alarm", says, labels=["source"])
        for name, raised in (self._alarms or {}).items():
            family.add_metric([name], raised)
        yield family


class PoolGauges(Collector):
    """The process's connections to the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give the gauges to a scrape, in its thread."""
        pool: Any = self._database.engine.pool
        used = GaugeMetricFamily("headrace_pool_connections", "Open connections, by use", labels=["state"])
        used.add_metric(["in_use"], pool.checkedout())
        used.add_metric(["idle"], pool.checkedin())
        yield used
        yield GaugeMetricFamily("headrace_pool_size", "Connections that may be open", pool.size())
