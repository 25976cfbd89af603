"""Metrics made of our log events: code that says what happened needs no second call to count it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, get_args

from prometheus_client import Counter, Histogram, Info
from structlog.contextvars import get_contextvars

from jobs.registry import BY_NAME
from jobs.sources.record import Entity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry
    from structlog.typing import EventDict

# The ways in which an attempt ends, and how each is counted.
OUTCOMES = {
    "run.succeeded": "succeeded",
    "run.failed": "failed",
    "run.retried": "retried",
    "run.interrupted": "interrupted",
    "run.cut_off": "cut_off",
    "run.lost": "lost",
}
STRANGER = "other"  # the label of a job that does not exist here
ROW_OUTCOMES = ("inserted", "updated", "unchanged", "deleted", "rejected", "skipped")
DELAY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800, 7_200)
RUN_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 10_800, 28_800, 86_400)


@dataclass(frozen=True, slots=True)
class Count:
    """A counter: its name, what it counts, and the fields of the event that tell its series apart."""

    name: str
    says: str
    labels: tuple[str, ...] = ()


# Events that are counted and nothing else.
COUNTS = {
    "run.adopted": Count("headrace_runs_adopted", "Plain arq messages that became runs", ("job",)),
    "run.taken_back": Count(
        "headrace_recoveries", "Runs taken back from workers that went silent, by their new state", ("state",)
    ),
    "lease.not_renewed": Count("headrace_leases_not_renewed", "Renewals that the database did not take"),
    "redis.away": Count("headrace_redis_outages", "Times that Redis stopped answering"),
    "database.away": Count("headrace_database_outages", "Times that a run could not be read or written"),
    "dispatch.failed": Count(
        "headrace_dispatch_failures", "Rounds of the dispatcher without database or Redis"
    ),
    "tick.taken": Count("headrace_ticks", "Scheduled moments that this worker took", ("schedule",)),
}


def show_version(registry: CollectorRegistry) -> None:
    """Show which version the process runs."""
    Info("headrace_build", "The version that runs", registry=registry).info({"version": version("headrace")})


class Metrics:
    """Counts the events of one process; every series whose labels are known beforehand begins at 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        show_version(registry)
        self._ended = Counter(
            "headrace_runs", "Attempts at runs that ended, by how", ("job", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "headrace_run_seconds", "How long attempts took", ("job",), registry=registry, buckets=RUN_SECONDS
        )
        self._delay = Histogram(
            "headrace_start_delay_seconds",
            "From when a run was due to the start of its first attempt",
            ("job",),
            registry=registry,
            buckets=DELAY_SECONDS,
        )
        self._rows = Counter(
            "headrace_rows", "Rows of committed batches", ("entity", "outcome"), registry=registry
        )
        self._counters = {
            event: Counter(count.name, count.says, count.labels, registry=registry)
            for event, count in COUNTS.items()
        }
        self._begin_at_zero()

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Count an event and hand it on unchanged: a processor of structlog's."""
        self._count(str(event.get("event")), get_contextvars() | dict(event))
        return event

    def _count(self, name: str, fields: Mapping[str, Any]) -> None:
        # Anybody who can write to Redis can ask for jobs of any name; each would be a series for ever.
        job = fields.get("job") if fields.get("job") in BY_NAME else STRANGER
        if count := COUNTS.get(name):
            known = {**fields, "job": job}
            counter, labels = self._counters[name], (str(known.get(label, "")) for label in count.labels)
            (counter.labels(*labels) if count.labels else counter).inc()
        elif name == "run.started" and "waited_seconds" in fields:
            self._delay.labels(job).observe(fields["waited_seconds"])
        elif name == "batch.committed":
            self._count_rows(fields["receipts"])
        elif name in OUTCOMES:
            self._ended.labels(job, OUTCOMES[name]).inc()
            if "seconds" in fields:  # not where a run ends outside of any attempt
                self._seconds.labels(job).observe(fields["seconds"])

    def _count_rows(self, receipts: Mapping[str, Mapping[str, int]]) -> None:
        for entity, counts in receipts.items():
            for outcome in ROW_OUTCOMES:
                self._rows.labels(entity, outcome).inc(counts.get(outcome, 0))

    def _begin_at_zero(self) -> None:
        """Make the series that alerts look at: an increase can only be seen from a value before it."""
        for job in BY_NAME:
            for outcome in OUTCOMES.values():
                self._ended.labels(job, outcome)
        for state in ("queued", "failed"):
            self._counters["run.taken_back"].labels(state)
        self._count_rows({entity: {} for entity in get_args(Entity)})
