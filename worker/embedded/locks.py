"""File locks. The kernel frees them when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.embedded.errors import HomeBusyError
from worker.embedded.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, *, seconds: float, unless: Callable[[], bool] | None = None) -> Iterator[None]:
    """Hold the lock alone; `unless` is asked while waiting for it and ends that early.

    Raises:
        HomeBusyError: others kept it for all of the seconds, or until we were not to wait any longer.

    """
    held: list[int] = []

    def taken() -> bool:
        lock = _try(path, fcntl.LOCK_EX)
        held.extend([] if lock is None else [lock])
        return bool(held)

    wait_until(lambda: taken() or bool(unless and unless()), seconds=seconds)
    if not held:
        raise HomeBusyError(lock=path, seconds=seconds)
    try:
        yield
    finally:
        os.close(held[0])


def shared(path: Path) -> int:
    """Hold the lock together with others until the returned descriptor is closed.

    Raises:
        HomeBusyError: somebody holds it alone.

    """
    lock = _try(path, fcntl.LOCK_SH)
    if lock is None:
        raise HomeBusyError(lock=path, seconds=0)
    return lock


def is_free(path: Path) -> bool:
    """Tell whether nobody holds the lock; a file that is gone is held by nobody."""
    try:
        lock = _try(path, fcntl.LOCK_EX)
    except FileNotFoundError:
        return True
    if lock is not None:
        os.close(lock)
    return lock is not None


def _try(path: Path, kind: int) -> int | None:
    # Python opens with O_CLOEXEC, so neither the daemons nor other children inherit the lock.
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), path.stat()):
            return lock
    except BlockingIOError:
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None
