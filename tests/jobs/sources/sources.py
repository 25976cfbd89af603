"""Ways to read bytes without a file, shared by the tests of all sources."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.sources.layout import Layout
from jobs.sources.reading import read
from jobs.sources.record import BadRecord, Item, PostRecord, TagRecord, UserRecord

if TYPE_CHECKING:
    from jobs.sources.record import Entity, Format

COLUMNS = ("external_id", "created_at", "title", "content", "tags")


def layout(
    format_: Format, entity: Entity = "posts", columns: tuple[str, ...] = COLUMNS, start: int = 0
) -> Layout:
    return Layout(Path("file"), format_, entity, start, 0, columns if format_ == "csv" else ())


def items_of(data: bytes, how: Layout) -> list[Item]:
    return list(read(BytesIO(data), how, how.start))


def rules_of(items: list[Item]) -> list[str]:
    """Give the rule each bad record breaks, and the id (or name) of each good one."""
    return [item.rule if isinstance(item, BadRecord) else _key(item) for item in items]


def _key(item: UserRecord | PostRecord | TagRecord) -> str:
    return item.name if isinstance(item, TagRecord) else item.external_id


def user(data: bytes, how: Layout) -> UserRecord:
    (item,) = items_of(data, how)
    assert isinstance(item, UserRecord), item
    return item


def post(data: bytes, how: Layout) -> PostRecord:
    (item,) = items_of(data, how)
    assert isinstance(item, PostRecord), item
    return item


def bad(data: bytes, how: Layout) -> BadRecord:
    (item,) = items_of(data, how)
    assert isinstance(item, BadRecord), item
    return item
