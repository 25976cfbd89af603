"""JSON Lines as nearly all are written: objects that have no fields but ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jobs.columns import COLUMNS
from jobs.sources.errors import UnloadableError
from jobs.sources.usual import usual
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES

if TYPE_CHECKING:
    from jobs.sources.layout import Layout
    from jobs.sources.record import Item
    from jobs.sources.window import Judge, Window

USUAL = {entity: usual(entity) for entity in COLUMNS}
DECODERS = {entity: msgspec.json.Decoder(kind.values) for entity, kind in USUAL.items()}
UNUSUAL = (UnloadableError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NUL = rb"\u0000"  # msgspec itself refuses it unescaped, and lone surrogates


def quick(window: Window, layout: Layout, judge: Judge) -> list[Item]:
    """Give the items of the lines in view: those that are as usual straight from their fields."""
    if layout.mapping:
        return _judged_in_view(window, judge)
    decode, make = DECODERS[layout.entity].decode, USUAL[layout.entity].make
    data, base, begin = window.data, window.base, window.position
    may_hold_nul = data.find(NUL, begin) >= 0
    items: list[Item] = []
    while (end := data.find(b"\n", begin) + 1) and end - begin <= MAX_RECORD_BYTES:
        line = data[begin:end]
        try:
            if may_hold_nul and NUL in line:
                raise UnloadableError("character", "U+0000 is to be replaced")
            items.append(make(decode(line), base + begin, base + end, line[:RAW_BYTES]))
        except UNUSUAL:
            if line.strip():
                items.append(judge((base + begin, base + end, line)))
        begin = end
    window.position = begin
    return items


def _judged_in_view(window: Window, judge: Judge) -> list[Item]:
    """Give the items of the lines in view, of which none is as usual."""
    data, base, begin = window.data, window.base, window.position
    items: list[Item] = []
    while (end := data.find(b"\n", begin) + 1) and end - begin <= MAX_RECORD_BYTES:
        if (line := data[begin:end]).strip():
            items.append(judge((base + begin, base + end, line)))
        begin = end
    window.position = begin
    return items
