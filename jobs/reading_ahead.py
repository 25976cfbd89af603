"""Reading in a thread while what was read before is being written."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sized

Taken = TypeVar("Taken", bound="Sized")
Value = TypeVar("Value")


class Ahead(Generic[Taken]):
    """Gives what `take` gives until that is empty; the next is taken in a thread while a step waits.

    An error of `take` is raised when what was taken before has been given.
    """

    def __init__(self, take: Callable[[], Taken]) -> None:
        self._take = take
        self._taking: asyncio.Task[Taken] | None = None

    def __aiter__(self) -> AsyncIterator[Taken]:
        return self

    async def __anext__(self) -> Taken:
        taking = self.begin()
        taken = await taking
        if not len(taken):
            raise StopAsyncIteration
        self._taking = None
        return taken

    def during(self, step: Callable[..., Awaitable[Value]]) -> Callable[..., Awaitable[Value]]:
        """Make of a step, which should mostly wait, one that begins to take the next."""

        async def begun(*arguments: Any) -> Value:
            self.begin()
            return await step(*arguments)

        return begun

    def begin(self) -> asyncio.Task[Taken]:
        """Begin to take the next, if nobody has."""
        self._taking = self._taking or asyncio.create_task(asyncio.to_thread(self._take))
        return self._taking

    async def end(self) -> None:
        """Wait until no thread is at work on the source."""
        if self._taking:
            await asyncio.wait([self._taking])
            self._taking.exception()  # looked at, so that nobody warns of it when something else has failed


@asynccontextmanager
async def ahead(take: Callable[[], Taken]) -> AsyncIterator[Ahead[Taken]]:
    """Read ahead while the block lasts; no thread is left at work on the source when it ends."""
    reading = Ahead(take)
    try:
        yield reading
    finally:
        await reading.end()
