"""JSON Lines: one object a line, its field names the columns of our own exports."""

from __future__ import annotations

import json
import re
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from jobs.columns import COLUMNS, NOT_READ
from jobs.sources.entities import entity_of
from jobs.sources.errors import UnknownFormatError, UnloadableError
from jobs.sources.layout import Layout
from jobs.sources.mapped import check_reached, mapped
from jobs.sources.record import BadRecord
from jobs.sources.text import repaired_values
from jobs.sources.window import MAX_RECORD_BYTES, Window, oversized, pass_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity
    from jobs.sources.window import Frame, Parsed, Stream

LINES_LOOKED_AT = 100
LINE_END = re.compile(rb"\n")
IMPOSSIBLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def look(seen: Glimpse, asked: Entity | None, mapping: FieldMapping | None = None) -> Layout:
    """Make sure that the file begins with objects; tell the entity by its name or its first object."""
    lines = islice(frames(Window(BytesIO(seen.head), seen.text_start)), LINES_LOOKED_AT)
    texts = [line[2].decode(errors="replace").strip() for line in lines if not isinstance(line, BadRecord)]
    if texts and texts[0].startswith("["):
        raise UnknownFormatError(
            seen.path, "is one JSON array, not JSON Lines", "write one object on each line"
        )
    if not any(text.startswith("{") for text in texts):
        problem = "binary data" if seen.is_binary else "no JSON object"
        raise UnknownFormatError(
            seen.path, f"holds {problem} in its first lines", "name its format with --format"
        )
    objects = list(filter(None, map(object_of, texts)))
    entity = entity_of(seen, next(iter(objects), ()), asked, mapping)
    ready = mapped(mapping, entity) if mapping else None
    if ready:
        check_reached(seen.path, objects, ready, entity)
    return Layout(
        seen.path, "jsonl", entity, seen.text_start, seen.size, compression=seen.compression, mapping=ready
    )


def object_of(line: str) -> dict[str, Any]:
    """Give the object of a line; an empty one if there is none."""
    try:
        found = decoded(line)
    except UnloadableError:
        return {}
    return found if isinstance(found, dict) else {}


def frames(window: Window, _layout: Layout | None = None) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each line that is not blank."""
    while True:
        end = window.data.find(b"\n", window.position) + 1
        if not end and not window.ended and window.unread <= MAX_RECORD_BYTES:
            window.grow()
            continue
        end = end or len(window.data)
        if end == window.position:
            return
        if end - window.position > MAX_RECORD_BYTES:
            yield oversized(window, LINE_END)
        elif (frame := window.take(end))[2].strip():
            yield frame


def cuts(stream: Stream, _layout: Layout, wanted: Iterable[int]) -> Iterator[int]:
    """Yield, for each wanted offset, the next at which a line begins."""
    for offset in wanted:
        window = Window(stream, offset - 1)
        pass_over(window, LINE_END)
        yield window.offset


def parse(line: str, layout: Layout) -> Parsed:
    """Give the values of a line's object, the repairs they took and the names of unknown fields."""
    found = decoded(line)
    if not isinstance(found, dict):
        raise UnloadableError("syntax", "the line holds a JSON value that is no object")
    if layout.mapping:
        values, unknown = layout.mapping.values(found), layout.mapping.unknown(found)
    else:
        known = COLUMNS[layout.entity]
        unknown = tuple(name for name in found if name not in known and name not in NOT_READ)
        values = [found.get(name) for name in known]
    repairs = 0
    if IMPOSSIBLE.search(line):
        values, repairs = repaired_values(values)
    return values, repairs, unknown


def decoded(line: str) -> object:
    """Give the JSON value of a line; raise UnloadableError if it has none."""
    try:
        return _decode(line)
    except (ValueError, RecursionError) as error:
        raise UnloadableError("syntax", f"not JSON: {error}") from error


def _decode(line: str) -> object:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        # msgspec refuses lone surrogates, the standard library lets us repair them.
        if IMPOSSIBLE.search(line):
            return json.loads(line, parse_constant=_refuse)
        raise


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
