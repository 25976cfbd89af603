"""Runs that a command carries out itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from jobs.errors import InputError, JobError
from jobs.registry import BY_NAME
from jobs.requests import RefreshAuthorStats
from models import Run, State
from models.claim import claim
from worker import execution
from worker.here import carry_out

if TYPE_CHECKING:
    from worker.resources import Resources


def perform(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    job = replace(BY_NAME["refresh_author_stats"], function=function)
    monkeypatch.setattr(execution, "BY_NAME", {**BY_NAME, job.name: job})


async def states(resources: Resources) -> list[str]:
    async with resources.database.reading() as session:
        return list((await session.scalars(select(Run.state))).all())


async def test_its_result_is_given_and_its_run_is_kept(resources: Resources) -> None:
    assert await carry_out(resources.settings, RefreshAuthorStats()) == {"refreshed": 0}
    assert await states(resources) == [State.SUCCEEDED]


async def test_its_failure_is_an_error_with_the_reason(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise InputError("no such folder")

    perform(monkeypatch, refuse)
    with pytest.raises(JobError, match="no such folder"):
        await carry_out(resources.settings, RefreshAuthorStats())
    assert await states(resources) == [State.FAILED]


async def test_an_interrupted_command_cancels_its_run_so_that_no_worker_does_it_later(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def wait(*_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    perform(monkeypatch, wait)
    command = asyncio.create_task(carry_out(resources.settings, RefreshAuthorStats()))
    await started.wait()
    command.cancel()
    with pytest.raises(asyncio.CancelledError):
        await command
    assert await states(resources) == [State.CANCELLED]


async def test_one_that_waits_for_its_place_is_cancelled_too(resources: Resources) -> None:
    asked = RefreshAuthorStats()
    [first] = await resources.client.enqueue_many([asked])
    async with resources.database.writing.begin() as session:
        await claim(session, [first], "tests", 60)
    command = asyncio.create_task(carry_out(resources.settings, asked))
    async with asyncio.timeout(120):
        while len(await states(resources)) < 2:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # it looks again for its place meanwhile
    command.cancel()
    with pytest.raises(asyncio.CancelledError):
        await command
    assert sorted(await states(resources)) == [State.CANCELLED, State.RUNNING]
