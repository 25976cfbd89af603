"""Ways to read bytes without a file, shared by the tests of all sources."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.mapping import FieldMapping
from jobs.sources.layout import Layout
from jobs.sources.mapped import mapped
from jobs.sources.reading import read
from jobs.sources.record import BadRecord, Item, PostRecord, TagRecord, UserRecord

if TYPE_CHECKING:
    from jobs.sources.record import Entity, Format

COLUMNS = ("external_id", "created_at", "title", "content", "tags")
MAPPING = FieldMapping.model_validate(
    {
        "external_id": "external_id",
        "created_at": {"path": "created_at", "zone": "Europe/Rome"},
        "content": ["content", "title"],
        "tags": {"path": "tags", "separator": ",", "name": "name"},
        "author": {"external_id": ["title", "author.id"], "name": "content"},
        "file": {"null": ["null", ""]},
    }
)


def layout(
    format_: Format, entity: Entity = "posts", columns: tuple[str, ...] = COLUMNS, start: int = 0
) -> Layout:
    return Layout(Path("file"), format_, entity, start, 0, columns if format_ == "csv" else ())


def layouts(format_: Format) -> list[Layout]:
    """Give a layout without and one with a mapping."""
    plain = layout(format_)
    if format_ == "stackexchange":
        return [plain]
    return [plain, replace(plain, mapping=mapped(MAPPING, "posts", plain.columns))]


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
