"""Work that goes on beside its task, one step at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.database import to_its_end

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType
    from typing import Any, Self


@dataclass(slots=True)
class Behind:
    """Does each step to its end while its task goes on; the next step waits for it, and so does the block.

    What a step raises is raised by the next one, or at the end of the block.
    """

    _step: asyncio.Task[None] | None = field(default=None, init=False)

    async def do(self, step: Coroutine[Any, Any, None]) -> None:
        """Begin a step when the one before is done."""
        try:
            await self._done()
        except BaseException:
            step.close()
            raise
        self._step = asyncio.create_task(to_its_end(step))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._done()

    async def _done(self) -> None:
        step, self._step = self._step, None
        if step:
            await step
