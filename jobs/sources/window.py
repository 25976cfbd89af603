"""A moving view of a stream that knows its offsets, so that readers scan bytes and hold few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from jobs.sources.record import BadRecord

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

    from jobs.sources.layout import Layout
    from jobs.sources.record import Item

CHUNK_BYTES = 256 * 1024
MAX_RECORD_BYTES = 16 * 1024 * 1024
RAW_BYTES = 64 * 1024
LONGEST_BOUNDARY_BYTES = 128

# A record's bytes with its offset and the offset where reading goes on.
Frame: TypeAlias = tuple[int, int, bytes]
# Values in the order of COLUMNS, how many characters were repaired, and the names of unknown fields.
Parsed: TypeAlias = "tuple[Sequence[object], int, tuple[str, ...]]"

# Makes a record or a reject of a frame, in the way that defines what is right.
Judge: TypeAlias = "Callable[[Frame], Item]"


class Stream(Protocol):
    """What a window looks at: a file that is open, plain or unpacked on the way."""

    def seek(self, offset: int, /) -> object:
        """Go on reading at that offset."""

    def read(self, size: int, /) -> bytes:
        """Give so many bytes, fewer only at the end."""


@runtime_checkable
class Table(Protocol):
    """What is read by rows instead."""

    def blocks(self, layout: Layout, start: int) -> Iterator[list[Item]]:
        """Yield the items of the rows from number `start` on, many at a time."""

    def bytes_done(self, offset: int) -> int:
        """Say how many of the file's bytes on disk are behind a reader that is at row `offset`."""


class Window:
    """The bytes of `stream` from offset `base`, of which those before `position` are done with."""

    def __init__(self, stream: Stream, start: int, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.stream = stream
        self.chunk_bytes = chunk_bytes
        self.rewind(start)

    def rewind(self, offset: int) -> None:
        """Begin anew at `offset` of the stream."""
        self.stream.seek(offset)
        self.base = offset
        self.data = b""
        self.position = 0
        self.ended = False

    @property
    def offset(self) -> int:
        """Where in the stream the position is."""
        return self.base + self.position

    @property
    def unread(self) -> int:
        """How many bytes are in view from the position on."""
        return len(self.data) - self.position

    def grow(self) -> None:
        """Bring at least as many bytes into view again, so that scanning anew costs no more than twice."""
        chunk = self.stream.read(max(self.chunk_bytes, self.unread))
        self.ended = not chunk
        self.base += self.position
        self.data = self.data[self.position :] + chunk
        self.position = 0

    def fill(self, size: int) -> int:
        """Bring `size` bytes into view, fewer only at the end; give where they end (an index into `data`)."""
        while self.unread < size and not self.ended:
            self.grow()
        return min(self.position + size, len(self.data))

    def forget_before(self, end: int, *, standing_for: bytes) -> None:
        """Drop the bytes in view before `end` but the last, which from now on reads as that byte, for all."""
        self.base += end - 1
        self.data = standing_for + self.data[end:]
        self.position = 0

    def take(self, end: int) -> Frame:
        """Give the bytes in view up to `end` (an index into `data`) and move there."""
        start, self.position = self.position, end
        return self.base + start, self.base + end, self.data[start:end]

    def bad(self, end: int, rule: str, reason: str) -> BadRecord:
        """Make a reject of the bytes in view up to `end` (an index into `data`) and move there."""
        raw = self.data[self.position : min(end, self.position + RAW_BYTES)].rstrip()
        bad = BadRecord(offset=self.offset, end=self.base + end, raw=raw, rule=rule, reason=reason)
        self.position = end
        return bad


def pass_over(window: Window, boundary: re.Pattern[bytes]) -> None:
    """Move to the end of the next `boundary`, or to the end of the stream; hold little of what is between."""
    while not (found := boundary.search(window.data, window.position)) and not window.ended:
        window.position = max(window.position, len(window.data) - LONGEST_BOUNDARY_BYTES)
        window.grow()
    window.position = found.end() if found else len(window.data)


def oversized(window: Window, boundary: re.Pattern[bytes]) -> BadRecord:
    """Make a reject of a record beyond the bound, passing over it to the end of `boundary`."""
    offset, raw = window.offset, window.data[window.position : window.position + RAW_BYTES]
    pass_over(window, boundary)
    return size_reject(offset, window.offset, raw)


def size_reject(offset: int, end: int, raw: bytes) -> BadRecord:
    """Make the reject of a record beyond the bound."""
    reason = f"the record at byte {offset} is larger than {MAX_RECORD_BYTES // (1024 * 1024)} MiB"
    return BadRecord(offset=offset, end=end, raw=raw, rule="size", reason=reason)
