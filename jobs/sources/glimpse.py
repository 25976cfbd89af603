"""The beginning and the end of a file, read before its records to tell what it is."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.sources.errors import EmptyFileError, FileNotReadableError, UnknownFormatError, WrongEncodingError

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 1024 * 1024
TAIL_BYTES = 64 * 1024
UTF8_BOM = b"\xef\xbb\xbf"

# UTF-32 comes first: its little-endian mark begins with that of UTF-16.
FOREIGN_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
COMPRESSIONS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"PK\x03\x04", "zip"),
)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The first MiB and the last 64 KiB of the `size` bytes at `path`."""

    path: Path
    size: int
    head: bytes
    tail: bytes

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
            head = stream.read(HEAD_BYTES)
            stream.seek(max(0, status.st_size - TAIL_BYTES))
            tail = stream.read(TAIL_BYTES)
    except FileNotFoundError as error:
        raise FileNotReadableError(path, "there is no such file", "check the path") from error
    except OSError as error:
        raise FileNotReadableError(
            path, os.strerror(error.errno or 0).lower(), "check the file and its rights"
        ) from error
    except ValueError as error:
        raise FileNotReadableError(path, "is no possible path", "check the path") from error
    seen = Glimpse(path, status.st_size, head, tail)
    _refuse_what_is_no_text(seen)
    return seen


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
    for mark, name in COMPRESSIONS:
        if seen.head.startswith(mark):
            raise UnknownFormatError(seen.path, f"is compressed ({name})", "unpack it first")
