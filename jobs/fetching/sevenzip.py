"""What is in a 7z archive, unpacked under names of ours and within bounds that are looked at before."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from py7zr import Py7zIO, SevenZipFile, WriterFactory
from py7zr.exceptions import ArchiveError, DecompressionBombError, PasswordRequired

from jobs.fetching.archives import Member
from jobs.fetching.places import file_name
from jobs.sources.compression import DAMAGED
from jobs.sources.errors import (
    AmbiguousFilesError,
    BombError,
    BrokenStreamError,
    FileNotReadableError,
    NoDumpFilesError,
    UnknownFormatError,
)
from jobs.sources.opening import LOADING_ORDER, dump_entity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from py7zr.py7zr import ArchiveFile

    from jobs.fetching.threads import Ending
    from jobs.sources.bounds import Bounds

# A header may ask for 4 GiB; the largest preset of 7-Zip takes 256 MiB.
MOST_MEMORY_BYTES = 512 * 2**20
LZMA, LZMA2, PPMD = b"\x03\x01\x01", b"\x21", b"\x03\x04\x01"


def unpack(archive: Path, to: Path, bounds: Bounds, ending: Ending) -> list[Member]:
    """Unpack the Users, Tags and Posts files, or the only file; see `archives.unpack`."""
    # Of a file that is open the library unpacks one block after the other, not all at once.
    with (
        _told(archive),
        archive.open("rb") as file,
        SevenZipFile(file, max_extract_size=bounds.most_bytes) as opened,
    ):
        _check(archive, to, opened.files, bounds)
        wanted = _wanted(archive, opened.files)
        with closing(Sinks(Sink(to, part, ending) for part in wanted)) as sinks:
            opened.extract(targets=[part.filename for part in wanted], factory=sinks)
        return [Member(sink.path, sink.member) for sink in sinks.by_name.values()]


class Sink(Py7zIO):
    """The file that one member goes to; it takes no more than the archive declares."""

    def __init__(self, folder: Path, part: ArchiveFile, ending: Ending) -> None:
        self.member = part.filename
        self.path = folder / file_name(_last(part.filename))
        self._declared = part.uncompressed
        self._ending = ending
        self._file: BinaryIO = self.path.open("xb")
        self._size = 0

    def write(self, s: bytes | bytearray) -> int:
        """Write some of it."""
        self._ending.look()
        self._size += len(s)
        if self._size > self._declared:
            raise DecompressionBombError(f"{self.member} is larger than declared")
        return self._file.write(s)

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002 - only the library could ask
        """Give nothing back."""
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002 - the library rewinds at the end
        """Stay at the end."""
        return self._size

    def flush(self) -> None:
        """Leave it to the end."""

    def size(self) -> int:
        """Say how much there is."""
        return self._size

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


class Sinks(WriterFactory):
    """Gives each member its own file, whatever path the archive has for it."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.by_name = {_last(sink.member): sink for sink in sinks}

    def create(self, filename: str) -> Py7zIO:
        """Give the file for a member."""
        return self.by_name[_last(filename)]

    def close(self) -> None:
        """Close what a failure has left open."""
        for sink in self.by_name.values():
            sink.close()


def _last(name: str) -> str:
    """Give the last part of a member's path, which is all that is used of it."""
    return PurePosixPath(name).name


def _wanted(archive: Path, parts: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    files = [part for part in parts if part.is_file and not part.emptystream]
    by_entity = {
        entity: [part for part in files if dump_entity(PurePosixPath(part.filename)) == entity]
        for entity in LOADING_ORDER
    }
    for entity, named in by_entity.items():
        if len(named) > 1:
            names = " and ".join(part.filename for part in named[:2])
            raise AmbiguousFilesError(archive, f"holds {names} for {entity}", "unpack it, and name the files")
    found = [part for named in by_entity.values() for part in named]
    if not found and len(files) != 1:
        problem = f"holds {len(files):,} files, none named Users, Tags or Posts"
        raise NoDumpFilesError(archive, problem, "unpack it, and name the files")
    return found or files


def _check(archive: Path, to: Path, parts: Sequence[ArchiveFile], bounds: Bounds) -> None:
    """Look at what the archive declares: how large all is, how much memory it takes, whether it has room."""
    size = sum(part.uncompressed for part in parts)
    bounds.check(archive, archive.stat().st_size, size)
    needed = max(
        (_memory(coder) for part in parts if not part.emptystream for coder in part.folder.coders), default=0
    )
    if needed > MOST_MEMORY_BYTES:
        problem = f"takes {needed // 2**20:,} MiB of memory to unpack"
        raise BombError(
            archive, problem, f"pack it with a dictionary of {MOST_MEMORY_BYTES // 2**20} MiB at most"
        )
    if size > (free := shutil.disk_usage(to).free):
        problem = f"unpacks to {size:,} bytes, and {to} has room for {free:,}"
        raise FileNotReadableError(archive, problem, "make room")


def _memory(coder: dict[str, Any]) -> int:
    """Say how many bytes of memory a coder's header asks for."""
    method, properties = coder["method"], coder.get("properties") or b""
    if method in (LZMA, PPMD):
        return int.from_bytes(properties[1:5], "little")
    if method == LZMA2 and properties:
        bits = properties[0]
        return (2 | (bits & 1)) << (bits // 2 + 11)
    return 0


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Tell in our own words what is wrong with an archive."""
    try:
        yield
    except PasswordRequired as error:
        raise UnknownFormatError(archive, "is encrypted", "unpack it first") from error
    except DecompressionBombError as error:
        advice = "HEADRACE_DECOMPRESSED_BYTES allows more, if it is what it should be"
        raise BombError(archive, "unpacks to more than is allowed, or than it says", advice) from error
    except (ArchiveError, *DAMAGED, AssertionError, LookupError, TypeError) as error:
        # The library was written for archives that are whole; a damaged header ends it in many ways.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenStreamError(
            archive, f"is no 7z archive that can be read ({reason})", "fetch it again"
        ) from error
