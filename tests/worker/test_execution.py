"""One attempt at a run: its outcomes, its lease, and what they leave in the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from jobs.errors import InputError, RetryLaterError
from jobs.import_requests import ImportPosts
from jobs.registry import BY_NAME, JOBS
from jobs.requests import PruneHistory, RebuildAuthorStats, RefreshAuthorStats
from models import Run, State
from models.clock import now
from tests.conftest import every_database, many_writers
from tests.factories import run_of
from worker import execution
from worker.execution import Executor
from worker.outcomes import Failed, Interrupted, Lost, Retry, Succeeded
from worker.retries import LONGEST_DELAY_SECONDS, delay_seconds, describe, judge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobs.context import JobContext
    from worker.resources import Resources


@pytest.fixture
def executor(resources: Resources) -> Executor:
    return Executor(resources, "tests:1")


def perform(
    monkeypatch: pytest.MonkeyPatch, function: Callable[[JobContext, Any], Awaitable[Any]], **changes: Any
) -> None:
    """Put another function behind the refresh job: a job table is data."""
    job = replace(BY_NAME["refresh_author_stats"], function=function, **changes)
    monkeypatch.setattr(execution, "BY_NAME", {**BY_NAME, job.name: job})


async def ask(resources: Resources) -> Any:
    return await resources.client.enqueue(RefreshAuthorStats())


@every_database
async def test_a_run_that_succeeds_is_finished_with_its_result(
    executor: Executor, resources: Resources
) -> None:
    run_id = await ask(resources)
    assert isinstance(await executor.execute(run_id), Succeeded)
    run = await run_of(resources, run_id)
    assert (run.state, run.result, run.attempt, run.lease_until) == (
        State.SUCCEEDED,
        {"refreshed": 0},
        1,
        None,
    )
    assert run.finished_at is not None
    assert await executor.execute(run_id) is None  # a second message for it does nothing


async def test_an_error_is_tried_again_later_until_the_tries_are_used(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_context: JobContext, _request: Any) -> None:
        raise RuntimeError("the moon is full")

    perform(monkeypatch, fail, tries=2)
    run_id = await ask(resources)
    assert isinstance(await executor.execute(run_id), Retry)
    run = await run_of(resources, run_id)
    assert (run.state, run.failures, run.error) == (State.QUEUED, 1, "RuntimeError: the moon is full")
    assert run.run_at > run.created_at
    assert await executor.execute(run_id) is None  # not due yet
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(run_at=now()))
    assert isinstance(await executor.execute(run_id), Failed)
    run = await run_of(resources, run_id)
    assert run.state == State.FAILED
    assert run.error == "RuntimeError: the moon is full (given up after 2 tries)"


async def test_a_job_may_say_when_the_next_try_makes_sense(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def throttled(_context: JobContext, _request: Any) -> None:
        raise RetryLaterError("the source wants a pause", delay_seconds=7_200)

    perform(monkeypatch, throttled, tries=2)
    run_id = await ask(resources)
    assert await executor.execute(run_id) == Retry("the source wants a pause", 7_200)
    run = await run_of(resources, run_id)
    assert (run.state, run.failures) == (State.QUEUED, 1)
    assert timedelta(hours=1.9) < run.run_at - run.created_at < timedelta(hours=2.1)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(run_at=now()))
    assert await executor.execute(run_id) == Failed("the source wants a pause (given up after 2 tries)")


async def test_bad_input_is_never_tried_again(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_context: JobContext, _request: Any) -> None:
        raise InputError("Posts.xml: there is no such file")

    perform(monkeypatch, refuse)
    run_id = await ask(resources)
    assert await executor.execute(run_id) == Failed("Posts.xml: there is no such file")


async def test_a_job_over_its_timeout_is_tried_again(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(_context: JobContext, _request: Any) -> None:
        await asyncio.Event().wait()

    perform(monkeypatch, sleep, timeout_seconds=0.05)
    outcome = await executor.execute(await ask(resources))
    assert isinstance(outcome, Retry)
    assert "timeout" in outcome.error


@every_database
async def test_an_interruption_hands_the_run_back_and_costs_no_try(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def sleep(_context: JobContext, _request: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    perform(monkeypatch, sleep)
    run_id = await ask(resources)
    attempt = asyncio.create_task(executor.execute(run_id))
    await started.wait()
    attempt.cancel()
    assert await attempt == Interrupted()
    run = await run_of(resources, run_id)
    assert (run.state, run.failures, run.attempt, run.lease_until) == (State.QUEUED, 0, 1, None)


async def test_the_lease_is_renewed_while_the_job_works(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def outlive_the_lease(context: JobContext, _request: Any) -> None:
        first = (await run_of(resources, context.run_id)).lease_until
        assert first is not None
        until = first
        async with asyncio.timeout(120):
            while until == first:
                await asyncio.sleep(0.05)
                until = (await run_of(resources, context.run_id)).lease_until or first
        assert until > first

    perform(monkeypatch, outlive_the_lease)
    assert isinstance(await executor.execute(await ask(resources)), Succeeded)


@many_writers
async def test_a_job_whose_run_was_taken_is_stopped_and_writes_nothing(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def robbed(context: JobContext, _request: Any) -> None:
        async with resources.database.writing.begin() as session:
            await session.execute(
                update(Run).where(Run.id == context.run_id).values(attempt=9, worker="thief")
            )
        await asyncio.Event().wait()

    perform(monkeypatch, robbed)
    run_id = await ask(resources)
    assert await executor.execute(run_id) == Lost()
    run = await run_of(resources, run_id)
    assert (run.state, run.worker, run.finished_at) == (State.RUNNING, "thief", None)


@every_database
async def test_follow_ups_leave_with_the_success_and_not_without_it(
    executor: Executor, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = True

    async def follow(context: JobContext, _request: Any) -> None:
        context.then(RebuildAuthorStats())
        if failing:
            raise InputError("no")

    perform(monkeypatch, follow)
    await executor.execute(await ask(resources))
    failing = False
    run_id = await ask(resources)
    await executor.execute(run_id)
    async with resources.database.reading() as session:
        runs = (await session.scalars(select(Run).where(Run.job == "rebuild_author_stats"))).all()
    assert [run.parent_id for run in runs] == [run_id]


async def test_an_unknown_job_and_an_unreadable_request_fail_with_the_reason(
    executor: Executor, resources: Resources
) -> None:
    run_id = await ask(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(job="make_coffee"))
    outcome = await executor.execute(run_id)
    assert isinstance(outcome, Failed)
    assert "make_coffee" in outcome.error
    run_id = await ask(resources)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == run_id).values(request={"size": 3}))
    outcome = await executor.execute(run_id)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("unreadable request: size")


def test_delays_double_up_to_a_bound_with_jitter() -> None:
    delays = [delay_seconds(n) for n in range(1, 30)]
    assert 1 <= delays[0] <= 2
    assert 4 <= delays[2] <= 8
    assert max(delays) <= LONGEST_DELAY_SECONDS


def test_a_description_holds_no_values_of_the_request() -> None:
    with pytest.raises(ValidationError) as caught:
        ImportPosts.model_validate({"url": "x", "site": "s", "format": "secret@example.org"})
    assert "secret" not in describe(caught.value)


def test_only_errors_that_may_pass_are_tried_again() -> None:
    job = JOBS[0]
    assert isinstance(judge(InputError("x"), job, 0), Failed)
    assert isinstance(judge(OSError("x"), job, 0), Retry)
    assert isinstance(judge(OSError("x"), job, job.tries - 1), Failed)


@every_database
async def test_prune_deletes_old_finished_runs_only(executor: Executor, resources: Resources) -> None:
    old, fresh, waiting = [await ask(resources) for _ in range(3)]
    for run_id in (old, fresh):
        await executor.execute(run_id)
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == old).values(finished_at=now(-86_400 * 10)))
    prune = await resources.client.enqueue(PruneHistory(keep_days=9))
    outcome = await executor.execute(prune)
    assert isinstance(outcome, Succeeded)
    assert outcome.result == {"deleted": 1}
    async with resources.database.reading() as session:
        assert set((await session.scalars(select(Run.id))).all()) == {fresh, waiting, prune}
