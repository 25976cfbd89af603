"""A file that is being fetched: what is there stays for the next attempt, until the whole is."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from jobs.errors import JobError
from jobs.fetching.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import BinaryIO

PRIVATE = 0o700
HASHED_BYTES = 1024 * 1024
LOCKED_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that was fetched to its end: where it is, and the digest by which any host knows it."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def found(cls, folder: Path) -> Self | None:
        """Give what an earlier attempt on this host has fetched."""
        try:
            kept = json.loads((folder / "whole.json").read_text())
            whole = cls(folder / "whole" / kept["name"], kept["size"], kept["sha256"])
            return whole if whole.path.stat().st_size == whole.size else None
        except (OSError, ValueError, KeyError):
            return None


class Part:
    """The bytes so far, and of which version of the source they are. Its methods block."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._note = folder / "part.json"
        self._file: BinaryIO = (folder / "part").open("ab")
        self.size = self._file.seek(0, os.SEEK_END)
        self.validator = self._noted() if self.size else ""
        self._digest = sha256()
        with (folder / "part").open("rb") as there:
            while data := there.read(HASHED_BYTES):
                self._digest.update(data)

    def begin(self, validator: str) -> None:
        """Begin anew, with a version of the source; one that is empty cannot be gone on with."""
        self._file.truncate(0)
        self.size = 0
        self.validator = validator
        self._digest = sha256()
        self._note.write_text(json.dumps({"validator": validator}))

    def write(self, data: bytes) -> None:
        """Write more.

        Raises:
            FetchError: the disk is full.

        """
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise
            problem = (
                f"there is no room in {self._folder.parent.parent} for more than {self.size:,} bytes of it"
            )
            raise FetchError(self._url, problem) from error
        self._digest.update(data)
        self.size += len(data)

    def complete(self, name: str) -> Whole:
        """Make it the whole file, under its own name."""
        os.fsync(self._file.fileno())
        place = self._folder / "whole"
        place.mkdir(exist_ok=True, mode=PRIVATE)
        whole = Whole(place / name, self.size, self._digest.hexdigest())
        (self._folder / "part").rename(whole.path)
        kept = {"name": name, "size": whole.size, "sha256": whole.sha256}
        written = self._folder / "whole.json.part"
        written.write_text(json.dumps(kept))
        written.rename(self._folder / "whole.json")
        self._note.unlink(missing_ok=True)
        return whole

    def close(self) -> None:
        """Let the next attempt have it."""
        self._file.close()

    def _noted(self) -> str:
        try:
            return str(json.loads(self._note.read_text())["validator"])
        except (OSError, ValueError, KeyError):
            return ""


@asynccontextmanager
async def opened_part(folder: Path, url: str) -> AsyncIterator[Part]:
    """Open the part of a source, alone: an attempt that lost its run may write a moment longer.

    Raises:
        FetchError: somebody else writes it.

    """
    async with _alone(folder, url):
        part = await asyncio.to_thread(Part, folder, url)
        try:
            yield part
        finally:
            part.close()


@asynccontextmanager
async def _alone(folder: Path, url: str) -> AsyncIterator[None]:
    with (folder / "lock").open("a") as lock:
        try:
            async with asyncio.timeout(LOCKED_SECONDS):
                while not _locked(lock.fileno()):  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        except TimeoutError:
            raise FetchError(url, "another attempt still fetches it") from None
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        raise JobError(f"the spool folder cannot be locked: {error.strerror}") from error
    return True
