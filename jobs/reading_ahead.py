"""Reading in a thread while what was read before is being written."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sized
    from concurrent.futures import Executor

Taken = TypeVar("Taken", bound="Sized")
Value = TypeVar("Value")


class Work(Generic[Value]):
    """Something that a thread does. Its value is given once and kept no longer, which a future would do."""

    def __init__(self, thread: Executor, work: Callable[[], Value]) -> None:
        self._work = work
        self._value: list[Value] = []
        self._done = asyncio.get_running_loop().run_in_executor(thread, self._do)
        # Nobody is warned of an error that nobody waits for any more.
        self._done.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _do(self) -> None:
        self._value.append(self._work())

    def __await__(self) -> Generator[Any, None, Value]:
        """Wait for the value, or for the error of the work."""
        yield from self._done
        return self._value.pop()

    def peek(self) -> Value | None:
        """See the value, if it is here and nobody has it yet."""
        return self._value[0] if self._done.done() and self._value else None

    def cancel(self) -> None:
        """Do not begin, if that has not happened yet."""
        self._done.cancel()


class Ahead(Generic[Taken]):
    """Gives what `take` gives until that is empty; more is taken in a thread while a step waits.

    An error of `take` is raised when what was taken before has been given.
    """

    def __init__(self, take: Callable[[], Taken], thread: Executor) -> None:
        self._take = take
        self._thread = thread
        self._taken: deque[Work[Taken]] = deque()
        self._given: list[Taken] = []

    def __aiter__(self) -> AsyncIterator[Taken]:
        return self

    async def __anext__(self) -> Taken:
        self._begin(1)
        taken = await self._taken.popleft()
        if not len(taken):
            raise StopAsyncIteration
        self._given = [*self._given[-1:], taken]
        return taken

    def upcoming(self) -> Taken | None:
        """Give what comes next, if it is here already."""
        return self._taken[0].peek() if self._taken else None

    def during(
        self, step: Callable[..., Awaitable[Value]], *, how_many: int = 1
    ) -> Callable[..., Awaitable[Value]]:
        """Make of a step, which should mostly wait, one that begins to take more until so many are here."""

        async def begun(*arguments: Any) -> Value:
            self._let_go()
            self._begin(how_many)
            return await step(*arguments)

        return begun

    def beside(self, work: Callable[[], Value]) -> Work[Value]:
        """Do other work in the thread, after what has begun there and before more is taken."""
        return Work(self._thread, work)

    def _let_go(self) -> None:
        """Have the thread free what was given before, which takes a while, and a step now waits anyway."""
        before, self._given = self._given[:-1], self._given[-1:]
        if before:
            self.beside(before.clear)

    def _begin(self, how_many: int) -> None:
        while len(self._taken) < how_many:
            self._taken.append(self.beside(self._take))

    async def end(self) -> None:
        """Wait until the thread is at work on the source no more."""
        for one in self._taken:
            one.cancel()
        last = self.beside(lambda: None)
        self._thread.shutdown(wait=False)
        await last


@asynccontextmanager
async def ahead(take: Callable[[], Taken]) -> AsyncIterator[Ahead[Taken]]:
    """Read ahead while the block lasts; the thread that does has ended with it."""
    reading = Ahead(take, ThreadPoolExecutor(1, "reading"))
    try:
        yield reading
    finally:
        await reading.end()
