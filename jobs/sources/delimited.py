"""CSV as RFC 4180 has it, its columns those of our own exports or a mapping's; an empty field is null."""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from jobs.columns import COLUMNS
from jobs.mapping import FileForm
from jobs.sources.columns import check_columns, check_mapped, unknown_columns
from jobs.sources.entities import entity_of
from jobs.sources.errors import UnknownFormatError, UnloadableError, WrongEncodingError
from jobs.sources.fields import maker_of
from jobs.sources.grammar import grammar, split
from jobs.sources.layout import Layout
from jobs.sources.mapped import mapped
from jobs.sources.record import BadRecord
from jobs.sources.text import repaired
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES, Window, oversized, size_reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.grammar import Grammar
    from jobs.sources.record import Entity, Item
    from jobs.sources.window import Frame, Judge, Parsed, Stream

UNUSUAL = (UnloadableError, UnicodeDecodeError)
LINE_END = re.compile(rb"\n")


def look(seen: Glimpse, asked: Entity | None, mapping: FieldMapping | None = None) -> Layout:
    """Read the header, tell the entity by the file's name or the columns, and miss none that is needed."""
    form = mapping.file if mapping else FileForm()
    columns, start = header(seen, form.delimiter or ",")
    if form.header:
        columns, start = form.header, seen.text_start
    entity = entity_of(seen, columns, asked, mapping)
    ready = mapped(mapping, entity, columns) if mapping else None
    if ready:
        check_mapped(seen.path, columns, ready, lambda path: len(path) == 1 and path[0] in columns)
    else:
        check_columns(seen.path, columns, entity)
    return Layout(
        seen.path,
        "csv",
        entity,
        start,
        seen.size,
        columns,
        compression=seen.compression,
        delimiter=form.delimiter or ",",
        mapping=ready,
    )


def header(seen: Glimpse, delimiter: str = ",") -> tuple[tuple[str, ...], int]:
    """Give the names in the first row and where the second begins."""
    first = next(framed(Window(BytesIO(seen.head), seen.text_start), grammar(delimiter)))
    if seen.is_binary or isinstance(first, BadRecord):
        raise UnknownFormatError(
            seen.path, "does not begin with the header of a CSV file", "name its format with --format"
        )
    try:
        names = split(first[2].decode(), delimiter)
    except UnicodeDecodeError as error:
        raise WrongEncodingError(
            seen.path, f"its header is not UTF-8 at byte {error.start}", "convert it to UTF-8"
        ) from error
    if b"\r" in first[2].rstrip(b"\r\n"):
        raise UnknownFormatError(
            seen.path, "has rows that end with CR alone", "convert its line ends to LF or CRLF"
        )
    return tuple(name.strip() for name in names), first[1]


def frames(window: Window, layout: Layout) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each row that is not blank; a line that no row begins with is a bad record."""
    return framed(window, grammar(layout.delimiter))


def framed(window: Window, rows: Grammar) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each row of that grammar."""
    while window.unread or not window.ended:
        row = rows.row.match(window.data, window.position)
        if not _is_whole(row, window) and _may_go_on(row, window, rows):
            if window.unread > MAX_RECORD_BYTES:
                yield _oversized(window, rows)
            else:
                window.grow()
        elif row is None:
            yield _bad_line(window)
        elif row.end() - window.position > MAX_RECORD_BYTES:
            yield _oversized(window, rows)
        elif (frame := window.take(row.end()))[2].strip():
            yield frame


def _is_whole(row: re.Match[bytes] | None, window: Window) -> bool:
    return row is not None and (window.ended or row[0][-1:] == b"\n")


def _may_go_on(row: re.Match[bytes] | None, window: Window, rows: Grammar) -> bool:
    """Whether the row at the position is sound as far as it is in view, and there is more to come."""
    if window.ended:
        return False
    return row is not None or rows.inside_quotes.match(window.data, window.position) is not None


def _bad_line(window: Window) -> BadRecord:
    """Reject one line only: if its open quote is the fault, the lines below may well be rows."""
    while not (end := window.data.find(b"\n", window.position) + 1) and not window.ended:
        if window.unread > MAX_RECORD_BYTES:
            break
        window.grow()
    end = end or len(window.data)
    if end - window.position > MAX_RECORD_BYTES:
        return oversized(window, LINE_END)
    return window.bad(end, "syntax", "a quoted field is never closed, or something follows its closing quote")


def _oversized(window: Window, rows: Grammar) -> BadRecord:
    """Reject a row beyond the bound, passing over what is inside its quotes; hold little of it.

    It is looked at in steps of one size, so that what is found does not depend on how much was in view.
    """
    offset, raw = window.offset, window.data[window.position : window.position + RAW_BYTES]
    while True:
        end = window.fill(2 * MAX_RECORD_BYTES)
        is_last = window.ended and end == len(window.data)
        row = rows.row.match(window.data, window.position, end)
        if row and (is_last or row[0].endswith(b"\n")):
            window.position = row.end()
            return size_reject(offset, window.offset, raw)
        if row or is_last or not rows.inside_quotes.match(window.data, window.position, end):
            window.rewind(offset)
            return _bad_line(window)
        window.forget_before(end, standing_for=b'"')


def quick(window: Window, layout: Layout, judge: Judge) -> list[Item]:
    """Give the items of the rows in view, up to the first that is cut off, too large or none."""
    make, took = maker_of(layout.entity, layout.mapping), (0, _unknown(layout))
    match = grammar(layout.delimiter).row.match
    data, base, begin = window.data, window.base, window.position
    items: list[Item] = []
    while (row := match(data, begin)) and (content := row[0]).endswith(b"\n"):
        if (end := row.end()) - begin > MAX_RECORD_BYTES:
            break
        try:
            if b"\0" in content:
                raise UnloadableError("character", "U+0000 is to be replaced")
            values = _placed(split(content.decode(), layout.delimiter), layout)
            items.append(make(values, base + begin, base + end, content[:RAW_BYTES], took))
        except UNUSUAL:
            if content.strip():
                items.append(judge((base + begin, base + end, content)))
        begin = end
    window.position = begin
    return items


def cuts(stream: Stream, layout: Layout, wanted: Iterable[int]) -> Iterator[int]:
    """Yield, for each wanted offset, the next at which a row begins.

    Whether a line break is inside quotes depends on every quote before it, so all rows up to it are framed.
    """
    found = frames(Window(stream, layout.start), layout)
    ends = (item.end if isinstance(item, BadRecord) else item[1] for item in found)
    end = layout.start
    for offset in wanted:
        while end < offset:
            end = next(ends, layout.size)
        yield end


def parse(line: str, layout: Layout) -> Parsed:
    """Give the values of a row, the repairs they took and the names of unknown columns."""
    line, repairs = repaired(line) if "\0" in line else (line, 0)
    values = _placed(split(line, layout.delimiter), layout)
    return values, repairs, _unknown(layout)


def _unknown(layout: Layout) -> tuple[str, ...]:
    return unknown_columns(layout.columns, layout.entity, layout.mapping)


def _placed(fields: list[str], layout: Layout) -> Sequence[object]:
    if len(fields) != len(layout.columns):
        raise UnloadableError(
            "columns", f"the row has {len(fields)} fields, the header {len(layout.columns)}"
        )
    if layout.mapping:
        return layout.mapping.values(
            {n: field or None for n, field in zip(layout.columns, fields, strict=True)}
        )
    fields.append("")
    return [fields[place] or None for place in _places(layout.columns, layout.entity)]


@lru_cache(maxsize=64)
def _places(columns: tuple[str, ...], entity: Entity) -> tuple[int, ...]:
    """Give the place of each field of the entity in a row; what has none stands behind the last."""
    return tuple(columns.index(name) if name in columns else len(columns) for name in COLUMNS[entity])
