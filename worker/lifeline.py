"""The line from a worker process to the one that watches over it: each sees by it when the other is gone."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKS = b"\n"


@contextmanager
def on_the_line(line: int, stopping: asyncio.Event, stop: Callable[[], None]) -> Iterator[None]:
    """Say on a socket's descriptor that this process works; stop it once the other end is closed.

    That is how a supervisor says it, and what the kernel does for one that was killed. A process manager may
    have sent its signal to both of them: to be asked twice would mean to stop at once.
    """
    running = asyncio.get_running_loop()
    with socket.socket(fileno=line) as end:

        def closed() -> None:
            running.remove_reader(end)
            if not stopping.is_set():
                stop()

        with suppress(OSError):  # nobody is there any more, which the reader sees
            end.send(WORKS)
        running.add_reader(end, closed)
        try:
            yield
        finally:
            running.remove_reader(end)
