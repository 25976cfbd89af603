"""The compressions that are read through, told by a file's first bytes, and how each is unpacked."""

from __future__ import annotations

import bz2
import lzma
import zlib
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jobs.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

# The largest preset of xz needs 65 MiB, but a header may ask for 4 GiB; zstd is bounded likewise by default.
XZ_MEMORY_BYTES = 128 * 1024 * 1024
GZIP_WINDOW_BITS = 31
DAMAGED = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, ValueError, EOFError)


class Unpacker(Protocol):
    """Unpacks one member, stream or frame; gives at most so many bytes at a time."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be given without more data."""

    @property
    def unused_data(self) -> bytes:
        """What followed the member in the data."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give bytes of the data, and of data that is still held."""


class GzipUnpacker:
    """A member of a gzip file; zlib itself checks its length and its sum."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(GZIP_WINDOW_BITS)

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be given without more data."""
        return not self._zlib.unconsumed_tail and not self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        """What followed the member in the data."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give bytes of the data, and of data that is still held."""
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class Compression(NamedTuple):
    """One compression that is read through, and what unpacks a member of it."""

    name: str
    first_bytes: bytes
    extension: str
    unpacker: Callable[[], Unpacker]


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b", ".gz", GzipUnpacker),
    Compression("bzip2", b"BZh", ".bz2", bz2.BZ2Decompressor),
    Compression("xz", b"\xfd7zXZ\x00", ".xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_BYTES)),
    Compression("zstd", b"\x28\xb5\x2f\xfd", ".zst", zstd.ZstdDecompressor),
)
ARCHIVES = ((b"7z\xbc\xaf\x27\x1c", "7z"), (b"PK\x03\x04", "zip"))


def compression_of(first_bytes: bytes) -> Compression | None:
    """Tell the compression of a file by its first bytes; None for a plain one."""
    return next((known for known in COMPRESSIONS if first_bytes.startswith(known.first_bytes)), None)


def inner_name(path: PurePath) -> PurePath:
    """Give the name of what is inside: `Posts.xml` for `Posts.xml.gz`."""
    packed = path.suffix.lower() in {known.extension for known in COMPRESSIONS}
    return PurePath(path.stem if packed else path.name)
