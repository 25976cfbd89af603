"""The rows of a dump as nearly all are written: one a line, attributes in an order that many rows share."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from jobs.columns import COLUMNS
from jobs.sources.errors import UnloadableError
from jobs.sources.fields import MAKERS
from jobs.sources.references import decode_all
from jobs.sources.stackexchange import KEPT, NOT_KEPT, post_type
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES

if TYPE_CHECKING:
    from jobs.sources.layout import Layout
    from jobs.sources.record import Entity, Item
    from jobs.sources.window import Frame, Judge, Window

# What stands around the values, joined by quotes. XML allows more; that is left to the judge.
AROUND_VALUES = re.compile(
    r"""(?P<indent>[ ]*)<row(?P<names>(?: [A-Za-z_][A-Za-z0-9_]{0,62}=""){1,100}) ?/>(?P<line_end>\r?\n)"""
)
LINE_END = re.compile(rb"\r?\n")
KIND = COLUMNS["posts"].index("kind")


class Plan(NamedTuple):
    """What the rows of one order of attributes have in common.

    `kept` are the places of the values we keep among all pieces of the row, `places` those of the fields of
    the record among these; the place behind the last is that of fields the row does not have.
    """

    indent: int
    line_end: int
    kept: tuple[int, ...]
    places: tuple[int, ...]
    unknown: tuple[str, ...]


@lru_cache(maxsize=256)
def _plan(around_values: tuple[str, ...], entity: Entity) -> Plan:
    """Give the plan of rows with these pieces around their values; raise UnloadableError for unusual ones."""
    written = AROUND_VALUES.fullmatch('""'.join(around_values))
    names = re.findall(r"\w+", written["names"]) if written else []
    if not written or len(set(names)) < len(names):
        raise UnloadableError("syntax", "not written as usual")  # and not cached, as it may be large
    kept = [name for name in names if name in KEPT[entity]]
    fields = [KEPT[entity][name] for name in kept]
    return Plan(
        indent=len(written["indent"]),
        line_end=len(written["line_end"]),
        kept=tuple(2 * names.index(name) + 1 for name in kept),
        places=tuple(fields.index(name) + 1 if name in fields else -1 for name in COLUMNS[entity]),
        unknown=tuple(name for name in names if name not in kept and name not in NOT_KEPT[entity]),
    )


def quick(window: Window, layout: Layout, judge: Judge) -> list[Item]:
    """Give the items of the lines in view, up to the first that is not one row as usual."""
    frames, plans, texts = _framed(window, layout.entity)
    items: list[Item] = []
    for frame, plan, text in zip(frames, plans, decode_all(texts) if texts else (), strict=True):
        try:
            items.append(_made(frame, plan, text, layout.entity))
        except UnloadableError:
            items.append(judge(frame))
    return items


def _framed(window: Window, entity: Entity) -> tuple[list[Frame], list[Plan], list[str]]:
    """Give the rows in view with their plans, and of each the values we keep, each behind a tab."""
    data, base, begin = window.data, window.base, window.position
    frames: list[Frame] = []
    plans: list[Plan] = []
    texts: list[str] = []
    if line_end := LINE_END.match(data, begin):
        begin = line_end.end()  # of the row before, which a judge took
    while end := data.find(b"\n", begin) + 1:
        try:
            line = data[begin:end].decode()
            pieces = line.split('"')
            plan = _plan(tuple(pieces[::2]), entity)
        except (UnicodeDecodeError, UnloadableError):
            break
        if line.rfind("<") > plan.indent or _has_unusual_space(line, plan):
            break
        start, stop = begin + plan.indent, end - plan.line_end
        if stop - start > MAX_RECORD_BYTES:
            break
        frames.append((base + start, base + stop, data[start:stop]))
        plans.append(plan)
        texts.append("\t" + "\t".join([pieces[place] for place in plan.kept]))
        begin = end
    window.position = begin
    return frames, plans, texts


def _has_unusual_space(line: str, plan: Plan) -> bool:
    return "\t" in line or "\0" in line or line.find("\r", 0, -plan.line_end) >= 0


def _made(frame: Frame, plan: Plan, text: str | None, entity: Entity) -> Item:
    pieces = (text or "").split("\t")
    if len(pieces) != len(plan.kept) + 1:
        raise UnloadableError("character", "a value holds a tab, or what XML forbids")
    fields: list[str | None] = [*pieces, None]
    values = [fields[place] for place in plan.places]
    if entity == "posts" and (kind := values[KIND]):
        values[KIND] = post_type(kind)
    return MAKERS[entity](values, frame[0], frame[1], frame[2][:RAW_BYTES], (0, plan.unknown))
