"""Work that is done in rounds beside other work, and ends between two of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    Rounds = Callable[[asyncio.Event], Coroutine[None, None, None]]

LET_END_SECONDS = 3.0  # a round that hangs, because a service does, is cut short after that


async def over(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep until the next round; True if there is to be none."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


@asynccontextmanager
async def beside(*works: Rounds) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Do works beside the block, each given the event that ends it; give their tasks.

    A statement that is cut short costs its connection, so a round that is under way may end.
    """
    stop = asyncio.Event()
    tasks = [asyncio.create_task(work(stop)) for work in works]
    try:
        yield tasks
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=LET_END_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
