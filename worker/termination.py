"""A SIGTERM that comes before a worker can be told to stop gently."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

_received: list[int] = []


def terminate(number: int, _frame: FrameType | None) -> None:
    """Interrupt whatever goes on, and remember it.

    Python loses an exception that is raised in a destructor or in the callback of a weak reference, and a
    process that was told to stop would go on for ever.

    Raises:
        KeyboardInterrupt: always.

    """
    _received.append(number)
    raise KeyboardInterrupt


def end(task: asyncio.Task[object]) -> None:
    """Cancel a task, and remember it: the Redis client may take a cancellation for a timeout of its own."""
    _received.append(signal.SIGTERM)
    task.cancel()


def is_terminated() -> bool:
    """Tell whether a SIGTERM has come."""
    return bool(_received)
