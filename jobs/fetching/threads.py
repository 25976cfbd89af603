"""Work that blocks, done in a thread and ended when its task is, and work that a shutdown ends."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.errors import StoppingError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Value = TypeVar("Value")

ENDS_SECONDS = 10.0


class EndedError(Exception):
    """The work was told to end."""


class Ending:
    """Tells a thread that nobody waits for its work any more."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def tell(self) -> None:
        """End the work at its next look."""
        self._told.set()

    def look(self) -> None:
        """Go on, unless the work is to end.

        Raises:
            EndedError: it is.

        """
        if self._told.is_set():
            raise EndedError


async def in_thread(work: Callable[[Ending], Value]) -> Value:
    """Do work in a thread; when the task is cancelled, tell the work and wait for it, not for ever."""
    ending = Ending()
    task = asyncio.create_task(asyncio.to_thread(work, ending))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        ending.tell()
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([task], timeout=ENDS_SECONDS)
        raise


async def unless_stopping(stopping: asyncio.Event, work: Coroutine[Any, Any, Value]) -> Value:
    """Await work that may be long, and end it once the worker shuts down.

    Raises:
        StoppingError: it does.

    """
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise StoppingError
        return await task
    finally:
        for each in (task, stop):
            each.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)
