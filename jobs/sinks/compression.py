"""Compression of what another encoder gives: gzip as RFC 1952 has it, Zstandard as RFC 8878."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from jobs.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.sinks.encoder import Columns, Encoder

GZIP_WINDOW = 16 + zlib.MAX_WBITS  # with gzip's header, which has no time and no name in it


class Compressor(Protocol):
    """One gzip member or Zstandard frame."""

    def compress(self, data: bytes, /) -> bytes:
        """Give what there is of it with some more bytes."""
        ...

    def flush(self) -> bytes:
        """Give its end."""
        ...


def _member() -> Compressor:
    return zlib.compressobj(wbits=GZIP_WINDOW)


def _frame() -> Compressor:
    return zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})


COMPRESSIONS: dict[str, Callable[[], Compressor]] = {".gz": _member, ".zst": _frame}
"""By the ending of a file's name."""


class Compressed:
    """Writes members or frames, one after the other, which all readers take for one file; a cut ends one."""

    def __init__(self, encoder: Encoder, make: Callable[[], Compressor]) -> None:
        self._encoder = encoder
        self._make = make
        self._open: Compressor | None = None

    def begin(self) -> bytes:
        """Open the first member, which is there also if no row follows."""
        self._open = self._make()
        return self._compress(self._encoder.begin())

    def encode(self, columns: Columns) -> bytes:
        """Give what there is compressed of some more rows."""
        return self._compress(self._encoder.encode(columns))

    def cut(self) -> bytes | None:
        """End the member that is open."""
        rest = self._encoder.cut()
        return None if rest is None else self._compress(rest) + self._close()

    def end(self) -> bytes:
        """Give the end of the last member."""
        return self._compress(self._encoder.end()) + self._close()

    def _compress(self, data: bytes) -> bytes:
        if not data:
            return b""
        self._open = self._open or self._make()
        return self._open.compress(data)

    def _close(self) -> bytes:
        compressor, self._open = self._open, None
        return compressor.flush() if compressor else b""
