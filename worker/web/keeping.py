"""Uploads on the disk: written beside their place, and put there whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from worker.web.problems import ConflictError, DiskFullError, PreconditionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LEFT_SECONDS = 86_400.0  # a part so old has no process any more that writes it


class UnfinishedFile:
    """A file that is being written beside its place. Its methods block: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f".{uuid4().hex}.part"
        self.size = 0
        self._digest = sha256()
        self._file = self.path.open("xb")

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Write some bytes.

        Raises:
            DiskFullError: there is no room for them.

        """
        with full_disk_told():
            self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def place(self, target: Path, *, replace: bool) -> bool:
        """Put the whole file in its place for good; False if the same bytes are there already.

        Raises:
            ConflictError: other bytes are there, and they are not to be replaced.
            PreconditionError: nothing is there that could be replaced.
            DiskFullError: there is no room.

        """
        with full_disk_told():
            self._file.flush()
            os.fsync(self._file.fileno())
        if replace:
            if not target.exists():
                raise PreconditionError
            self.path.replace(target)
        elif not self._link(target):
            return False
        _sync_folder(target.parent)
        return True

    def discard(self) -> None:
        """Leave nothing behind of what was not placed."""
        try:
            self._file.close()
        except OSError:  # what it still held does not matter any more
            pass
        finally:
            self.path.unlink(missing_ok=True)

    def _link(self, target: Path) -> bool:
        try:
            target.hardlink_to(self.path)
        except FileExistsError:
            with target.open("rb") as there:
                if file_digest(there, sha256).hexdigest() == self.sha256:
                    return False
            raise ConflictError("There is another file of that name; `If-Match: *` replaces it.") from None
        return True


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Tell a full disk as a problem."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError from error
        raise


def sweep(folder: Path) -> None:
    """Remove parts that a process which was killed has left."""
    late = time.time() - LEFT_SECONDS
    for path in folder.glob(".*.part"):
        if path.stat().st_mtime < late:
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
