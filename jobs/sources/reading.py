"""From the bytes of a file to its records."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jobs.sources import delimited, jsonl, lines, markup, prolog, rows, stackexchange
from jobs.sources.errors import BrokenStreamError, UnloadableError
from jobs.sources.extras import parquet_for
from jobs.sources.fields import NAME_CHARS, maker_of
from jobs.sources.record import BadRecord, Item
from jobs.sources.text import repaired
from jobs.sources.window import RAW_BYTES, Table, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.layout import Layout
    from jobs.sources.record import Entity, Format
    from jobs.sources.window import Frame, Judge, Parsed, Stream


class Source(NamedTuple):
    """How one format is read.

    `look` tells what is seen at the ends of a file. `frames` and `parse` define where its records are and
    what one of them says. `quick` gives the same items of what is in view, many at a time, up to the first
    that it cannot be sure of. `cuts` says at or behind which of the wanted offsets reading can begin alone.
    """

    format: Format
    extensions: tuple[str, ...]
    first_byte: bytes | None
    look: Callable[[Glimpse, Entity | None, FieldMapping | None], Layout]
    frames: Callable[[Window, Layout], Iterator[Frame | BadRecord]]
    parse: Callable[[str, Layout], Parsed]
    quick: Callable[[Window, Layout, Judge], list[Item]]
    cuts: Callable[[Stream, Layout, Iterable[int]], Iterator[int]]


SOURCES = (
    Source(
        "stackexchange",
        (".xml",),
        b"<",
        prolog.look,
        stackexchange.frames,
        stackexchange.parse,
        rows.quick,
        markup.cuts,
    ),
    Source(
        "jsonl", (".jsonl", ".ndjson"), b"{", jsonl.look, jsonl.frames, jsonl.parse, lines.quick, jsonl.cuts
    ),
    Source(
        "csv",
        (".csv",),
        None,
        delimited.look,
        delimited.frames,
        delimited.parse,
        delimited.quick,
        delimited.cuts,
    ),
)


def read(stream: Stream | Table, layout: Layout, start: int) -> Iterator[Item]:
    """Give each record, or what could not be made one, from offset `start` of the stream on to `layout.stop`.

    `start` is `layout.start`, or the `end` of an item yielded before: then exactly the rest follows. The
    stream must be seekable. Nothing in the bytes raises; errors of the stream itself (OSError) pass through.
    Of a broken compressed stream the last complete record is the last.
    """
    if isinstance(stream, Table):
        found = stream.blocks(layout, start)
    else:
        found = blocks(Window(stream, start), layout)
    return chain.from_iterable(found if layout.stop is None else _until(layout.stop, found))


def blocks(window: Window, layout: Layout) -> Iterator[list[Item]]:
    """Yield the items that `one_by_one` gives, many at a time where they are as usual."""
    source = source_of(layout)
    judge = judge_of(layout)
    carefully = one_by_one(window, layout)
    try:
        while True:
            if block := source.quick(window, layout, judge):
                yield block
            if (item := next(carefully, None)) is None:
                return
            yield [item]
    except BrokenStreamError:
        return  # `opened` raises it when it is left.


def one_by_one(window: Window, layout: Layout) -> Iterator[Item]:
    """Give the items from the window's position on; this defines what they are."""
    return map(judge_of(layout), source_of(layout).frames(window, layout))


def item_of(raw: bytes, offset: int, end: int, layout: Layout) -> Item:
    """Judge once more the whole bytes of a record, or the JSON of a row, that stood between two offsets."""
    if layout.format == "parquet":
        row: Item = parquet_for(layout.path).item_of(raw, offset, layout)
        return row
    items = list(one_by_one(Window(Shifted(raw, offset), offset), layout))
    if len(items) == 1:
        return msgspec.structs.replace(items[0], offset=offset, end=end)
    reason = f"the bytes hold {len(items)} records"
    return BadRecord(offset=offset, end=end, raw=raw[:RAW_BYTES], rule="syntax", reason=reason)


class Shifted:
    """Bytes as the stream that they were a part of: the first is at `offset`."""

    def __init__(self, raw: bytes, offset: int) -> None:
        self._stream, self._offset = BytesIO(raw), offset
        self.read = self._stream.read

    def seek(self, offset: int, /) -> object:
        """Go on reading at that offset of the stream."""
        return self._stream.seek(offset - self._offset)


def _until(stop: int, found: Iterator[list[Item]]) -> Iterator[list[Item]]:
    for block in found:
        if block[-1].offset >= stop:
            yield [item for item in block if item.offset < stop]
            return
        yield block


def source_of(layout: Layout) -> Source:
    """Give the source that reads a file of this layout."""
    return next(source for source in SOURCES if source.format == layout.format)


def judge_of(layout: Layout) -> Callable[[Frame | BadRecord], Item]:
    """Give what makes a record of a frame, or a reject; it defines which."""
    make = maker_of(layout.entity, layout.mapping)
    return partial(_judged, parse=source_of(layout).parse, make=make, layout=layout)


def _judged(
    frame: Frame | BadRecord,
    parse: Callable[[str, Layout], Parsed],
    make: Callable[..., Item],
    layout: Layout,
) -> Item:
    if isinstance(frame, BadRecord):
        return frame
    offset, end, content = frame
    raw = content[:RAW_BYTES]
    try:
        values, repairs, names = parse(content.decode(), layout)
        unknown = tuple(repaired(name)[0][:NAME_CHARS] for name in names) if names else ()
        return make(values, offset, end, raw, (repairs, unknown))
    except UnicodeDecodeError as error:
        reason = f"byte {offset + error.start} is not UTF-8"
        return BadRecord(offset=offset, end=end, raw=raw, rule="encoding", reason=reason)
    except UnloadableError as error:
        return BadRecord(offset=offset, end=end, raw=raw, rule=error.rule, reason=error.reason)
