"""Reading in a thread while what was read before is being written."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

Item = TypeVar("Item")


@asynccontextmanager
async def ahead(take: Callable[[], Sequence[Item]]) -> AsyncIterator[AsyncIterator[Sequence[Item]]]:
    """Give what `take` gives until that is empty; the next is taken in a thread meanwhile.

    An error of `take` is raised when what was taken before has been given. No thread is left at work on the
    source when the block ends.
    """
    taking = _started(take)

    async def taken() -> AsyncIterator[Sequence[Item]]:
        nonlocal taking
        while items := await taking:
            taking = _started(take)
            yield items

    try:
        yield taken()
    finally:
        await asyncio.wait([taking])
        taking.exception()  # looked at, so that nobody warns of it when the block has failed by itself


def _started(take: Callable[[], Sequence[Item]]) -> asyncio.Task[Sequence[Item]]:
    return asyncio.create_task(asyncio.to_thread(take))
