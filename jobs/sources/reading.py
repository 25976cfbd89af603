"""From the bytes of a file to its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from jobs.sources import delimited, jsonl, markup, prolog, stackexchange
from jobs.sources.errors import UnloadableError
from jobs.sources.fields import MAKERS, NAME_CHARS, Where
from jobs.sources.record import BadRecord, PostRecord, TagRecord, UserRecord
from jobs.sources.text import repaired
from jobs.sources.window import RAW_BYTES, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from jobs.sources.glimpse import Glimpse
    from jobs.sources.layout import Layout
    from jobs.sources.record import Entity, Format
    from jobs.sources.window import Frame, Parsed

Item: TypeAlias = UserRecord | PostRecord | TagRecord | BadRecord


class Source(NamedTuple):
    """How one format is read.

    What is seen at its ends, where its records are, what one of them says, and at or behind which of the
    offsets that are wanted reading can begin without what is before.
    """

    format: Format
    extensions: tuple[str, ...]
    first_byte: bytes | None
    look: Callable[[Glimpse, Entity | None], Layout]
    frames: Callable[[Window, Layout], Iterator[Frame | BadRecord]]
    parse: Callable[[str, Layout], Parsed]
    cuts: Callable[[BinaryIO, Layout, Iterable[int]], Iterator[int]]


SOURCES = (
    Source(
        "stackexchange", (".xml",), b"<", prolog.look, stackexchange.frames, stackexchange.parse, markup.cuts
    ),
    Source("jsonl", (".jsonl", ".ndjson"), b"{", jsonl.look, jsonl.frames, jsonl.parse, jsonl.cuts),
    Source("csv", (".csv",), None, delimited.look, delimited.frames, delimited.parse, delimited.cuts),
)


def read(stream: BinaryIO, layout: Layout, start: int) -> Iterator[Item]:
    """Yield each record, or what could not be made one, from byte `start` of the stream on to `layout.stop`.

    `start` is `layout.start`, or the `end` of an item yielded before: then exactly the rest follows. The
    stream must be seekable. Nothing in the bytes raises; errors of the stream itself (OSError) pass through.
    """
    source = source_of(layout)
    for frame in source.frames(Window(stream, start), layout):
        item = frame if isinstance(frame, BadRecord) else _record(frame, source, layout)
        if layout.stop is not None and item.offset >= layout.stop:
            return
        yield item


def source_of(layout: Layout) -> Source:
    """Give the source that reads a file of this layout."""
    return next(source for source in SOURCES if source.format == layout.format)


def _record(frame: Frame, source: Source, layout: Layout) -> Item:
    offset, end, content = frame
    raw = content[:RAW_BYTES]
    try:
        values, repairs, names = source.parse(content.decode(), layout)
        unknown = tuple(repaired(name)[0][:NAME_CHARS] for name in names) if names else ()
        where: Where = {"offset": offset, "end": end, "raw": raw, "repairs": repairs, "unknown": unknown}
        return MAKERS[layout.entity](values, where)
    except UnicodeDecodeError as error:
        reason = f"byte {offset + error.start} is not UTF-8"
        return BadRecord(offset=offset, end=end, raw=raw, rule="encoding", reason=reason)
    except UnloadableError as error:
        return BadRecord(offset=offset, end=end, raw=raw, rule=error.rule, reason=error.reason)
