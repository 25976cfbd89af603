"""The rows of a dump as nearly all are written: one a line, attributes in an order that many rows share."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import ValidationError, convert

from jobs.columns import COLUMNS
from jobs.sources.errors import UnloadableError
from jobs.sources.references import decode_all
from jobs.sources.stackexchange import KEPT, NOT_KEPT, POST_TYPES
from jobs.sources.usual import usual
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobs.sources.layout import Layout
    from jobs.sources.record import Entity, Item
    from jobs.sources.window import Frame, Judge, Window

# What stands around the values, joined by quotes. XML allows more; that is left to the judge.
AROUND_VALUES = re.compile(
    r"""(?P<indent>[ ]*)<row(?P<names>(?: [A-Za-z_][A-Za-z0-9_]{0,62}=""){1,100}) ?/>(?P<line_end>\r?\n)"""
)
LINE_END = re.compile(rb"\r?\n")
# Splits faster than a tab alone; as no end of it is its beginning, it is found where it was put.
BEFORE_VALUE = "\t~~~~~~~"
USUAL = {entity: usual(entity, as_array=True) for entity in COLUMNS}
MANY: dict[Entity, Any] = {entity: list[kind.values | None] for entity, kind in USUAL.items()}  # type: ignore[name-defined]


class Plan(NamedTuple):
    """What the rows of one order of attributes have in common.

    `kept` picks the values we keep from all pieces of a row. Of these and one before them, in all `pieces`,
    `values` picks those of the fields of the record, and a last one that is not used.
    """

    indent: int
    line_end: int
    kept: Callable[[list[str]], tuple[str, ...]]
    pieces: int
    values: Callable[[list[str | None]], tuple[str | None, ...]]
    unknown: tuple[str, ...]


@lru_cache(maxsize=256)
def _plan(around_values: str, entity: Entity) -> Plan:
    """Give the plan of rows with these pieces around their values; raise UnloadableError for unusual ones."""
    written = AROUND_VALUES.fullmatch(around_values)
    names = re.findall(r"\w+", written["names"]) if written else []
    if not written or len(set(names)) < len(names):
        raise UnloadableError("syntax", "not written as usual")  # and not cached, as it may be large
    kept = [name for name in names if name in KEPT[entity]]
    fields = [KEPT[entity][name] for name in kept]
    places = [fields.index(name) + 1 if name in fields else 0 for name in COLUMNS[entity]]
    return Plan(
        indent=len(written["indent"]),
        line_end=len(written["line_end"]),
        kept=_getter([2 * names.index(name) + 1 for name in kept]),
        pieces=len(kept) + 1,
        values=_getter([*places, 0]),
        unknown=tuple(name for name in names if name not in kept and name not in NOT_KEPT[entity]),
    )


def _getter(places: Sequence[int]) -> Callable[[Any], tuple[Any, ...]]:
    """Give what gives the values at some places as a tuple, however many they are."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[place] for place in places])


def quick(window: Window, layout: Layout, judge: Judge) -> list[Item]:
    """Give the items of the lines in view, up to the first that is not one row as usual."""
    frames, plans, texts = _framed(window, layout.entity)
    decoded = decode_all(texts) if texts else []
    rows = [_values(plan, text) for plan, text in zip(plans, decoded, strict=True)]
    items: list[Item] = []
    for frame, plan, values in zip(frames, plans, _typed(rows, layout.entity), strict=True):
        try:
            items.append(_made(frame, plan, values, layout.entity))
        except UnloadableError:
            items.append(judge(frame))
    return items


def _framed(window: Window, entity: Entity) -> tuple[list[Frame], list[Plan], list[str]]:
    """Give the rows in view with their plans, and of each the values we keep."""
    data, base, begin = window.data, window.base, window.position
    frames: list[Frame] = []
    plans: list[Plan] = []
    texts: list[str] = []
    if line_end := LINE_END.match(data, begin):
        begin = line_end.end()  # of the row before, which a judge took
    may_have_space = data.find(b"\t", begin) >= 0 or data.find(b"\0", begin) >= 0
    while end := data.find(b"\n", begin) + 1:
        try:
            line = data[begin:end].decode()
            pieces = line.split('"')
            plan = _plan('""'.join(pieces[::2]), entity)
        except (UnicodeDecodeError, UnloadableError):
            break
        if line.rfind("<") > plan.indent or line.find("\r", 0, -plan.line_end) >= 0:
            break
        start, stop = begin + plan.indent, end - plan.line_end
        if stop - start > MAX_RECORD_BYTES or (may_have_space and ("\t" in line or "\0" in line)):
            break
        frames.append((base + start, base + stop, data[start:stop]))
        plans.append(plan)
        texts.append(BEFORE_VALUE + BEFORE_VALUE.join(plan.kept(pieces)))
        begin = end
    window.position = begin
    return frames, plans, texts


def _values(plan: Plan, text: str | None) -> tuple[str | None, ...] | None:
    """Give the values of a row's decoded text; None if it has none, or what is before values in one."""
    pieces: list[Any] = text.split(BEFORE_VALUE) if text else []
    if len(pieces) != plan.pieces:
        return None
    pieces[0] = None
    return plan.values(pieces)


def _typed(rows: list[tuple[str | None, ...] | None], entity: Entity) -> list[Any]:
    """Give the values of rows by name; None for a row that has none, or one of unusual length."""
    try:
        found: list[Any] = convert(rows, MANY[entity])
    except ValidationError:
        half = len(rows) // 2
        return [*_typed(rows[:half], entity), *_typed(rows[half:], entity)] if half else [None]
    return found


def _made(frame: Frame, plan: Plan, values: Any, entity: Entity) -> Item:
    if values is None:
        raise UnloadableError("type", "a value is not as usual, or there is what XML forbids")
    if entity == "posts" and values.kind:
        values.kind = POST_TYPES.get(values.kind)
        if values.kind is None:
            raise UnloadableError("type", "its kind has no name")
    offset, end, content = frame
    return USUAL[entity].make(values, offset, end, content[:RAW_BYTES], (0, plan.unknown))
