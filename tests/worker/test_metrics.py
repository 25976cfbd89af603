"""Events are counted once, with the labels that tell them apart, whether they are logged or not."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from jobs.errors import LeaseLostError
from jobs.import_requests import ImportPosts
from models.family import cancel_runs
from models.queue_depth import Depth
from tests.conftest import every_database
from tests.factories import SITE, json_posts, running, write_jsonl
from worker.execution import Executor
from worker.gauges import PoolGauges, QueueGauges
from worker.logs import configure_logs, observed
from worker.metrics import COUNTS, OUTCOMES, Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.resources import Resources
    from worker.settings import Settings

log = structlog.get_logger("headrace.tests")


@pytest.fixture
def registry(settings: Settings) -> Iterator[CollectorRegistry]:
    """What is counted while logs say errors only."""
    registry, handlers, level = CollectorRegistry(), logging.root.handlers[:], logging.root.level
    before = structlog.get_config()
    structlog.reset_defaults()  # as a worker finds it
    configure_logs(settings, level="error")
    with observed(Metrics(registry)):
        yield registry
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


@pytest.mark.parametrize("event", OUTCOMES)
def test_each_end_of_an_attempt_is_counted_with_its_duration(registry: CollectorRegistry, event: str) -> None:
    with structlog.contextvars.bound_contextvars(job="import_posts"):
        log.info(event, seconds=2.5)
    assert value(registry, "headrace_runs_total", job="import_posts", outcome=OUTCOMES[event]) == 1
    assert value(registry, "headrace_run_seconds_sum", job="import_posts") == 2.5
    assert value(registry, "headrace_run_seconds_bucket", job="import_posts", le="5.0") == 1
    assert value(registry, "headrace_run_seconds_bucket", job="import_posts", le="1.0") == 0


@pytest.mark.parametrize("event", COUNTS)
def test_each_counted_event_is_one_more(registry: CollectorRegistry, event: str) -> None:
    labels = {label: "export_rows" if label == "job" else "x" for label in COUNTS[event].labels}
    log.info(event, **labels)
    log.debug(event, **labels)
    assert value(registry, f"{COUNTS[event].name}_total", **labels) == 2


def test_series_that_alerts_look_at_begin_at_zero(registry: CollectorRegistry) -> None:
    assert value(registry, "headrace_runs_total", job="export_rows", outcome="failed") == 0
    assert value(registry, "headrace_rows_total", entity="posts", outcome="rejected") == 0
    assert value(registry, "headrace_recoveries_total", state="failed") == 0


def test_jobs_that_do_not_exist_share_one_series(registry: CollectorRegistry) -> None:
    for number in range(3):
        log.info("run.adopted", job=f"make_coffee_{number}")
    assert value(registry, "headrace_runs_adopted_total", job="other") == 3


def test_an_event_that_is_not_counted_passes(registry: CollectorRegistry) -> None:
    before = generate_latest(registry)
    log.info("worker.started", burst=False)
    assert generate_latest(registry) == before


@every_database
async def test_an_import_counts_its_rows_its_waiting_and_its_work(
    resources: Resources, registry: CollectorRegistry, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", [*json_posts(1_200), {"external_id": "no date"}])
    executor = Executor(resources)
    for _ in range(2):
        await executor.execute(await resources.client.enqueue(ImportPosts(url=str(path), site=SITE)))
    rows = {
        outcome: value(registry, "headrace_rows_total", entity="posts", outcome=outcome)
        for outcome in ("inserted", "unchanged", "rejected", "updated")
    }
    assert rows == {"inserted": 1_200, "unchanged": 1_200, "rejected": 2, "updated": 0}
    assert value(registry, "headrace_start_delay_seconds_count", job="import_posts") == 2
    assert value(registry, "headrace_run_seconds_count", job="import_posts") == 2


@every_database
async def test_rows_of_a_batch_that_did_not_commit_are_not_counted(
    resources: Resources, registry: CollectorRegistry
) -> None:
    context = await running(resources)

    async def commit(*, robbed: bool = False) -> None:
        async with context.batch() as batch:
            batch.count("posts", records_read=3, inserted=3)
            if robbed:
                context.attempt += 1

    await commit()
    with pytest.raises(LeaseLostError):
        await commit(robbed=True)
    async with resources.database.writing.begin() as session:
        await cancel_runs(session, [context.run_id])
    context.attempt -= 1
    with pytest.raises(LeaseLostError):
        await commit()
    assert value(registry, "headrace_rows_total", entity="posts", outcome="inserted") == 3


def test_queue_gauges_know_all_jobs_forget_strangers_and_show_nothing_old() -> None:
    registry, gauges = CollectorRegistry(), QueueGauges()
    registry.register(gauges)
    assert value(registry, "headrace_queue_depth", job="export_rows") is None
    gauges.show([Depth("make_coffee", due=2, oldest_seconds=7)])
    assert value(registry, "headrace_queue_oldest_seconds", job="make_coffee") == 7
    assert value(registry, "headrace_queue_depth", job="export_rows") == 0
    gauges.show([])
    assert value(registry, "headrace_queue_depth", job="make_coffee") is None
    gauges.show(None)
    assert value(registry, "headrace_queue_depth", job="export_rows") is None


@every_database
async def test_pool_gauges_tell_used_connections_from_idle_ones(resources: Resources) -> None:
    registry = CollectorRegistry()
    registry.register(PoolGauges(resources.database))
    async with resources.database.reading() as session:
        await session.connection()
        assert value(registry, "headrace_pool_connections", state="in_use") == 1
    await asyncio.sleep(0)
    assert value(registry, "headrace_pool_connections", state="in_use") == 0
    assert value(registry, "headrace_pool_connections", state="idle") == 1
    assert value(registry, "headrace_pool_size") == resources.settings.connections
