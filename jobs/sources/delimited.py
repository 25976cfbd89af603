"""CSV as RFC 4180 has it, its columns those of our own exports; an empty field is null."""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from jobs.sources.columns import check_columns, unknown_columns
from jobs.sources.entities import entity_of
from jobs.sources.errors import UnknownFormatError, UnloadableError, WrongEncodingError
from jobs.sources.fields import COLUMNS, MAKERS
from jobs.sources.layout import Layout
from jobs.sources.record import BadRecord
from jobs.sources.text import repaired
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES, Window, oversized, size_reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity, Item
    from jobs.sources.window import Frame, Judge, Parsed, Stream

UNUSUAL = (UnloadableError, UnicodeDecodeError)
LINE_END = re.compile(rb"\n")
# A quote opens a field only as its first character; elsewhere it stands for itself.
# At most 1001 fields, because each costs the matcher memory; atomic groups instead of possessive ones,
# because those go wrong before Python 3.11.5.
QUOTED = r"""[^"]*+(?>(?:""[^"]*+)*)"""
FIELD = rf"""(?:"{QUOTED}"|(?!")[^,\n]*+)"""
ROW = re.compile(rf"{FIELD}(?>(?:,{FIELD}){{0,1000}})(?:\r?\n|\r?\Z)".encode())
INSIDE_QUOTES = re.compile(rf"""(?>(?:{FIELD},){{0,1000}})"{QUOTED}\Z""".encode())
COMMA_AND_FIELD = re.compile(rf""",(?:"({QUOTED})"|([^,]*+))""")


def look(seen: Glimpse, asked: Entity | None) -> Layout:
    """Read the header, tell the entity by the file's name or the columns, and miss none that is needed."""
    columns, start = header(seen)
    entity = asked or entity_of(seen, columns)
    check_columns(seen.path, columns, entity)
    return Layout(seen.path, "csv", entity, start, seen.size, columns, compression=seen.compression)


def header(seen: Glimpse) -> tuple[tuple[str, ...], int]:
    """Give the names in the first row and where the second begins."""
    first = next(frames(Window(BytesIO(seen.head), seen.text_start)))
    if seen.is_binary or isinstance(first, BadRecord):
        raise UnknownFormatError(
            seen.path, "does not begin with the header of a CSV file", "name its format with --format"
        )
    try:
        names = split(first[2].decode())
    except UnicodeDecodeError as error:
        raise WrongEncodingError(
            seen.path, f"its header is not UTF-8 at byte {error.start}", "convert it to UTF-8"
        ) from error
    if b"\r" in first[2].rstrip(b"\r\n"):
        raise UnknownFormatError(
            seen.path, "has rows that end with CR alone", "convert its line ends to LF or CRLF"
        )
    return tuple(name.strip() for name in names), first[1]


def frames(window: Window, _layout: Layout | None = None) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each row that is not blank; a line that no row begins with is a bad record."""
    while window.unread or not window.ended:
        row = ROW.match(window.data, window.position)
        if not _is_whole(row, window) and _may_go_on(row, window):
            if window.unread > MAX_RECORD_BYTES:
                yield _oversized(window)
            else:
                window.grow()
        elif row is None:
            yield _bad_line(window)
        elif row.end() - window.position > MAX_RECORD_BYTES:
            yield _oversized(window)
        elif (frame := window.take(row.end()))[2].strip():
            yield frame


def _is_whole(row: re.Match[bytes] | None, window: Window) -> bool:
    return row is not None and (window.ended or row[0][-1:] == b"\n")


def _may_go_on(row: re.Match[bytes] | None, window: Window) -> bool:
    """Whether the row at the position is sound as far as it is in view, and there is more to come."""
    if window.ended:
        return False
    return row is not None or INSIDE_QUOTES.match(window.data, window.position) is not None


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


def _oversized(window: Window) -> BadRecord:
    """Reject a row beyond the bound, passing over what is inside its quotes; hold little of it."""
    offset, raw = window.offset, window.data[window.position : window.position + RAW_BYTES]
    while not _is_whole(row := ROW.match(window.data, window.position), window):
        if not _may_go_on(row, window) or (row and window.unread > 2 * MAX_RECORD_BYTES):
            window.rewind(offset)
            return _bad_line(window)
        if row is None:
            window.forget_before_last(standing_for=b'"')
        window.grow()
    window.position = row.end() if row else len(window.data)
    return size_reject(offset, window.offset, raw)


def quick(window: Window, layout: Layout, judge: Judge) -> list[Item]:
    """Give the items of the rows in view, up to the first that is cut off, too large or none."""
    make, took = MAKERS[layout.entity], (0, unknown_columns(layout.columns, layout.entity))
    data, base, begin = window.data, window.base, window.position
    items: list[Item] = []
    while (row := ROW.match(data, begin)) and (content := row[0]).endswith(b"\n"):
        if (end := row.end()) - begin > MAX_RECORD_BYTES:
            break
        try:
            if b"\0" in content:
                raise UnloadableError("character", "U+0000 is to be replaced")
            values = _placed(split(content.decode()), layout.columns, layout.entity)
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
    ends = (
        item.end if isinstance(item, BadRecord) else item[1] for item in frames(Window(stream, layout.start))
    )
    end = layout.start
    for offset in wanted:
        while end < offset:
            end = next(ends, layout.size)
        yield end


def parse(line: str, layout: Layout) -> Parsed:
    """Give the values of a row, the repairs they took and the names of unknown columns."""
    line, repairs = repaired(line) if "\0" in line else (line, 0)
    values = _placed(split(line), layout.columns, layout.entity)
    return values, repairs, unknown_columns(layout.columns, layout.entity)


def _placed(fields: list[str], columns: tuple[str, ...], entity: Entity) -> list[str | None]:
    if len(fields) != len(columns):
        raise UnloadableError("columns", f"the row has {len(fields)} fields, the header {len(columns)}")
    fields.append("")
    return [fields[place] or None for place in _places(columns, entity)]


@lru_cache(maxsize=64)
def _places(columns: tuple[str, ...], entity: Entity) -> tuple[int, ...]:
    """Give the place of each field of the entity in a row; what has none stands behind the last."""
    return tuple(columns.index(name) if name in columns else len(columns) for name in COLUMNS[entity])


def split(line: str) -> list[str]:
    """Give the fields of a row without their quotes."""
    line = line.removesuffix("\n").removesuffix("\r")
    if '"' not in line:
        return line.split(",")
    if fields := _split_at_quotes(line):
        return fields
    pairs = COMMA_AND_FIELD.findall(f",{line}")
    return [quoted.replace('""', '"') if quoted else plain for quoted, plain in pairs]


def _split_at_quotes(line: str) -> list[str]:
    """Give the same, several times faster; none if a quote stands where it is not sure to open or close.

    Every other piece between quotes is inside of them; nothing between two of these is a quote written twice.
    """
    first, *pieces = line.split('"')
    fields: list[str] = []
    plain, quoted = first.split(","), None
    for inside, outside in zip(pieces[::2], pieces[1::2], strict=False):
        if quoted is not None:
            quoted += f'"{inside}'
        elif not plain or plain.pop():
            return []  # no comma before the opening quote
        else:
            fields += plain
            quoted, plain = inside, []
        if outside:
            fields.append(quoted)
            behind, *plain = outside.split(",")
            quoted = None
            if behind:
                return []  # no comma behind the closing quote
    if len(pieces) % 2:
        return []
    return fields + plain if quoted is None else [*fields, quoted]
