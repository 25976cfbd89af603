"""The unpacked bytes of a compressed file as a stream, in bounded memory, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.sources.bounds import Bounds
from jobs.sources.compression import DAMAGED
from jobs.sources.errors import BrokenStreamError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from jobs.sources.compression import Compression

PACKED_BYTES = 64 * 1024
SKIPPED_BYTES = 1024 * 1024
TAIL_BYTES = 64 * 1024


class Unpacked:
    """What is in a compressed file, all its members one after the other; a seek unpacks up to there."""

    def __init__(
        self, file: BinaryIO, path: Path, compression: Compression, bounds: Bounds | None = None
    ) -> None:
        self.file = file
        self.path = path
        self.compression = compression
        self.bounds = bounds or Bounds()
        self._begin()

    def _begin(self) -> None:
        self.file.seek(0)
        self.offset = 0
        self.ended = False
        self.problem = ""
        self.tail = b""
        self._packed = b""
        self._member = self.compression.unpacker()

    def bytes_done(self, _offset: int) -> int:
        """Say how many bytes of the file on disk were read so far."""
        return self.file.tell()

    def seek(self, offset: int) -> None:
        """Unpack and drop what is before `offset`, from the beginning if that is behind."""
        if offset < self.offset:
            self._begin()
        while self.offset < offset and self.read(min(SKIPPED_BYTES, offset - self.offset)):
            pass

    def read(self, size: int) -> bytes:
        """Give `size` bytes, fewer only at the end.

        Raises:
            BrokenStreamError: the file is damaged or cut off here; every byte before was given.
            BombError: more has come out of it than is allowed.

        """
        pieces: list[bytes] = []
        missing = size
        while missing and (piece := self._piece(missing)):
            pieces.append(piece)
            missing -= len(piece)
        given = b"".join(pieces)
        self.offset += len(given)
        self.bounds.check(self.path, self.file.tell(), self.offset)
        self.tail = (self.tail + given[-TAIL_BYTES:])[-TAIL_BYTES:]
        if not given:
            self.check()
        return given

    def check(self) -> None:
        """Raise BrokenStreamError if the stream ended before its end."""
        if self.problem:
            problem = f"its {self.compression.name} stream {self.problem} behind {self.offset} unpacked bytes"
            raise BrokenStreamError(self.path, problem, "fetch it again; the records before that were read")

    def _piece(self, size: int) -> bytes:
        """Give at least one byte; none where the stream ends or is broken."""
        while not (self.problem or self.ended):
            if self._member.eof:
                self._begin_member()
            elif self._member.needs_input and not self._fill():
                self.problem = "is cut off"
            else:
                try:
                    packed, self._packed = self._packed, b""
                    if piece := self._member.decompress(packed, size):
                        return piece
                except DAMAGED as error:
                    self.problem = f"is damaged ({error})"
        return b""

    def _fill(self) -> bool:
        self._packed = self._packed or self.file.read(PACKED_BYTES)
        return bool(self._packed)

    def _begin_member(self) -> None:
        """Go on with the next member, if there is one; zeros that pad the file are none."""
        self._packed = self._member.unused_data.lstrip(b"\0")
        while not self._packed and (packed := self.file.read(PACKED_BYTES)):
            self._packed = packed.lstrip(b"\0")
        self.ended = not self._packed
        if self._packed:
            self._member = self.compression.unpacker()
