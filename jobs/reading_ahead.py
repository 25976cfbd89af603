"""Reading in a thread while what was read before is being written."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

Item = TypeVar("Item")


async def ahead(take: Callable[[], Sequence[Item]]) -> AsyncIterator[Sequence[Item]]:
    """Yield what `take` gives, until that is empty; the next is taken in a thread meanwhile.

    At the end, whatever it is, no thread is left at work on the source. An error of `take` is raised when
    what was read before it has been yielded.
    """
    taking = asyncio.ensure_future(asyncio.to_thread(take))
    try:
        while taken := await taking:
            taking = asyncio.ensure_future(asyncio.to_thread(take))
            yield taken
    finally:
        with suppress(BaseException):
            await asyncio.shield(taking)
