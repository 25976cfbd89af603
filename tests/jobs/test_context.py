"""A step that must not be cut short is ended before a cancellation takes effect."""

from __future__ import annotations

import asyncio

import pytest

from models.database import to_its_end


async def cancelled_in_the_middle(*, error: Exception | None = None) -> list[str]:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def step() -> None:
        begun.set()
        await go_on.wait()
        done.append("step")
        if error:
            raise error

    async def caller() -> None:
        await to_its_end(step())
        done.append("after it")

    task = asyncio.create_task(caller())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(type(error) if error else asyncio.CancelledError):
        await task
    return done


async def test_the_step_ends_and_nothing_after_it_begins() -> None:
    assert await cancelled_in_the_middle() == ["step"]


async def test_an_error_of_the_step_is_not_lost() -> None:
    assert await cancelled_in_the_middle(error=ValueError("bad")) == ["step"]
