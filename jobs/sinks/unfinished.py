"""The file beside the target that becomes it once it is complete."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jobs.errors import InputError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self
    from uuid import UUID

# Nobody goes on with the file of an attempt that ended so.
GIVEN_UP = (InputError, LeaseLostError, asyncio.CancelledError)


class Unfinished:
    """The file that one attempt writes, or goes on with where an earlier one of the run has ended.

    It is locked: an attempt that was only paused may still write, so another one takes its own file then.
    Whatever the disk refuses is raised as InputError.
    """

    def __init__(self, target: Path, path: Path, file: BinaryIO) -> None:
        self._target = target
        self._path = path
        self._file = file
        self.is_wanted = False
        """Whether another attempt could go on with it."""

    @classmethod
    def begin(cls, target: Path, run_id: UUID, attempt: int) -> Self:
        """Begin the file of an attempt, and remove what earlier attempts at the run have left."""
        with told(target):
            for left in target.parent.glob(f".headrace-{run_id}-*.part"):
                left.unlink(missing_ok=True)
            path = target.with_name(f".headrace-{run_id}-{attempt}.part")
            file = cls(target, path, path.open("wb"))
            with suppress(OSError):  # a file system without locks
                file._lock()
        return file

    @classmethod
    def resume(cls, target: Path, name: str, size: int) -> Self | None:
        """Go on behind the first `size` bytes of a file; None if it is not here, or not to be had."""
        path = target.with_name(name)
        try:
            file = cls(target, path, path.open("r+b"))
        except OSError:
            return None
        try:
            file._take_over(size)
        except OSError:
            file._file.close()
            return None
        file.is_wanted = True
        return file

    @property
    def name(self) -> str:
        """By what name the next attempt finds it, in the same folder."""
        return self._path.name

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        with told(self._target):
            self._file.write(data)

    def sync(self) -> None:
        """Wait until the disk has what was written."""
        with told(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Put it in the place of the target."""
        with told(self._target):
            self._path.replace(self._target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Removed before the lock is free: the name may belong to another attempt afterwards.
        if error is not None and (not self.is_wanted or isinstance(error, GIVEN_UP)):
            self._path.unlink(missing_ok=True)
        with suppress(OSError):  # what the disk has refused before
            self._file.close()

    def _lock(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _take_over(self, size: int) -> None:
        self._lock()
        here = os.fstat(self._file.fileno())
        if here.st_size < size or not os.path.samestat(here, self._path.stat()):
            raise FileNotFoundError
        self._file.truncate(size)
        self._file.seek(size)


@contextmanager
def told(target: Path) -> Iterator[None]:
    """Tell what the disk refuses as an error of the request."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
