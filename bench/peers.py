"""The queues that are compared, each started as its documentation says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue: its module in `bench/queues`, and one worker process with ten slots, if it lets one choose."""

    name: str
    title: str
    worker: tuple[str, ...]
    """The words after `python -m` that start the worker."""
    packages: tuple[str, ...]
    """The distributions whose versions are reported."""
    about: str
    """What its worker is told, and what differs from its defaults."""
    alone: tuple[str, ...] = ()
    """What to install into an environment of its own, if it cannot share Headrace's."""

    @property
    def module(self) -> str:
        """The module that defines its jobs and asks for them."""
        return f"bench.queues.{self.name}"


HEADRACE = "headrace"
ARQ = "arq"
PROCRASTINATE = "procrastinate"

PEERS: tuple[Peer, ...] = (
    Peer(
        HEADRACE,
        "Headrace",
        ("bench.queues.headrace",),
        ("headrace", "arq", "sqlalchemy", "asyncpg", "redis"),
        "`headrace worker`, concurrency 10 (default 4); a row in PostgreSQL for every run",
    ),
    Peer(
        PROCRASTINATE,
        "Procrastinate",
        ("procrastinate", "--app", "bench.queues.procrastinate.app", "worker", "--concurrency", "10"),
        ("procrastinate", "psycopg"),
        "`procrastinate worker --concurrency 10` (default 1), a row in PostgreSQL for every job",
    ),
    Peer(
        ARQ,
        "arq",
        ("arq", "bench.queues.arq.WorkerSettings"),
        ("arq", "redis"),
        "`arq`, all defaults: 10 jobs at a time, a poll every 0.5 s",
    ),
    Peer(
        "saq",
        "SAQ",
        ("saq", "bench.queues.saq.settings"),
        ("saq", "redis"),
        "`saq`, concurrency 10 (its default)",
    ),
    Peer(
        "taskiq",
        "Taskiq",
        ("taskiq", "worker", "--workers", "1", "--max-async-tasks", "10", "bench.queues.taskiq:broker"),
        ("taskiq", "taskiq-redis", "redis"),
        "`taskiq worker --workers 1 --max-async-tasks 10` (defaults 2 and 100), a stream broker with results",
        alone=("taskiq", "taskiq-redis"),  # refuses redis-py 5, which arq needs
    ),
    Peer(
        "streaq",
        "streaQ",
        ("streaq", "bench.queues.streaq.worker"),
        ("streaq", "coredis"),
        "`streaq`, concurrency 10 (default 16); version 5, as later ones need Redis 7",
        alone=("streaq<6", "coredis<6"),  # the embedded Redis is 6.2
    ),
    Peer(
        "dramatiq",
        "Dramatiq",
        ("dramatiq", "--processes", "1", "--threads", "10", "bench.queues.dramatiq"),
        ("dramatiq", "redis"),
        "`dramatiq --processes 1 --threads 10` (defaults: one process per core, 8)",
    ),
    Peer(
        "celery",
        "Celery",
        ("celery", "--app", "bench.queues.celery", "worker", "--pool", "threads", "--concurrency", "10"),
        ("celery", "kombu", "redis"),
        "`celery worker --pool threads --concurrency 10` (default: a process per core), no results",
        alone=("celery[redis]",),  # refuses redis-py 5, which arq needs
    ),
)
