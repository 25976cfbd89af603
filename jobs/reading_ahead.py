"""Reading in a thread while what was read before is being written."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sized
    from concurrent.futures import Executor

Taken = TypeVar("Taken", bound="Sized")
Value = TypeVar("Value")


class Ahead(Generic[Taken]):
    """Gives what `take` gives until that is empty; so many more are taken in a thread while a step waits.

    An error of `take` is raised when what was taken before has been given.
    """

    def __init__(self, take: Callable[[], Taken], thread: Executor, how_many: int) -> None:
        self._take = take
        self._thread = thread
        self._how_many = how_many
        self._taken: deque[asyncio.Future[Taken]] = deque()

    def __aiter__(self) -> AsyncIterator[Taken]:
        return self

    async def __anext__(self) -> Taken:
        self._begin(1)
        taken = await self._taken[0]
        if not len(taken):
            raise StopAsyncIteration
        self._taken.popleft()
        return taken

    def upcoming(self) -> Taken | None:
        """Give what comes next, if it is here already."""
        coming = self._taken[0] if self._taken else None
        is_here = coming and coming.done() and not coming.cancelled() and not coming.exception()
        return coming.result() if coming and is_here else None

    def during(self, step: Callable[..., Awaitable[Value]]) -> Callable[..., Awaitable[Value]]:
        """Make of a step, which should mostly wait, one that begins to take more."""

        async def begun(*arguments: Any) -> Value:
            self._begin(self._how_many)
            return await step(*arguments)

        return begun

    def beside(self, work: Callable[[], Value]) -> asyncio.Future[Value]:
        """Do other work in the thread, after what has begun there and before more is taken."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _begin(self, how_many: int) -> None:
        while len(self._taken) < how_many:
            self._taken.append(self.beside(self._take))

    async def end(self) -> None:
        """Wait until the thread is at work on the source no more."""
        for one in self._taken:
            one.cancel()  # what has not begun; an error that is here already, nobody asked for
            with suppress(BaseException):
                one.exception()
        last = self.beside(lambda: None)
        self._thread.shutdown(wait=False)
        await last


@asynccontextmanager
async def ahead(take: Callable[[], Taken], *, how_many: int = 1) -> AsyncIterator[Ahead[Taken]]:
    """Read ahead while the block lasts; the thread that does has ended with it."""
    reading = Ahead(take, ThreadPoolExecutor(1, "reading"), how_many)
    try:
        yield reading
    finally:
        await reading.end()
