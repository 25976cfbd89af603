"""The beginning and the end of a file, read before its records to tell what it is."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from jobs.sources.compression import ARCHIVES, compression_of, inner_name
from jobs.sources.errors import EmptyFileError, FileNotReadableError, UnknownFormatError, WrongEncodingError
from jobs.sources.extras import PARQUET_FIRST_BYTES
from jobs.sources.unpacking import TAIL_BYTES, Unpacked

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from jobs.sources.compression import Compression

HEAD_BYTES = 1024 * 1024
UTF8_BOM = b"\xef\xbb\xbf"

# UTF-32 comes first: its little-endian mark begins with that of UTF-16.
FOREIGN_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The first MiB and the last 64 KiB of the `size` bytes at `path`.

    Of a compressed file it is the first MiB of what is unpacked, and None because its end is far.
    """

    path: Path
    size: int
    head: bytes
    tail: bytes | None
    compression: Compression | None = None

    @property
    def name(self) -> PurePath:
        """What the file is called without the extension of its compression."""
        return inner_name(self.path) if self.compression else PurePath(self.path.name)

    @property
    def text_start(self) -> int:
        """Where the text begins: behind a byte order mark."""
        return len(UTF8_BOM) if self.head.startswith(UTF8_BOM) else 0

    @property
    def is_binary(self) -> bool:
        """Whether the file begins like no text does."""
        return b"\0" in self.head[:1024]


def glimpse(path: Path) -> Glimpse:
    """Read the two ends of a file; raise a SourceError if that fails or is no UTF-8 text for sure."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise FileNotReadableError(path, "is a folder", "name a file")
        if not stat.S_ISREG(status.st_mode):
            raise FileNotReadableError(path, "is no regular file", "name a file on disk")
        with path.open("rb") as stream:
            seen = _ends(stream, path, status.st_size)
    except FileNotFoundError as error:
        raise FileNotReadableError(path, "there is no such file", "check the path") from error
    except OSError as error:
        raise FileNotReadableError(
            path, os.strerror(error.errno or 0).lower(), "check the file and its rights"
        ) from error
    except ValueError as error:
        raise FileNotReadableError(path, "is no possible path", "check the path") from error
    _refuse_what_is_no_text(seen)
    return seen


def _ends(stream: BinaryIO, path: Path, size: int) -> Glimpse:
    head = stream.read(HEAD_BYTES)
    if compression := compression_of(head):
        return Glimpse(path, size, Unpacked(stream, path, compression).read(HEAD_BYTES), None, compression)
    stream.seek(max(0, size - TAIL_BYTES))
    return Glimpse(path, size, head, stream.read(TAIL_BYTES))


def _refuse_what_is_no_text(seen: Glimpse) -> None:
    if not seen.head[seen.text_start :].strip():
        raise EmptyFileError(
            seen.path, f"holds nothing ({seen.size} bytes)", "check whether it was written completely"
        )
    for mark, name in FOREIGN_BOMS:
        if seen.head.startswith(mark):
            raise WrongEncodingError(
                seen.path, f"is {name} (its first bytes are {mark.hex(' ')})", "convert it to UTF-8"
            )
    for mark, name in ARCHIVES:
        if seen.head.startswith(mark):
            raise UnknownFormatError(seen.path, f"is an archive ({name})", "unpack it first")
    if compression := seen.compression and compression_of(seen.head):
        raise UnknownFormatError(seen.path, f"is compressed twice ({compression.name})", "unpack it once")
    if seen.compression and seen.head.startswith(PARQUET_FIRST_BYTES):
        raise UnknownFormatError(seen.path, f"is Parquet inside {seen.compression.name}", "unpack it first")
