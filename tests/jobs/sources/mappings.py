"""Files of other shapes and their mappings, shared by tests."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from jobs.mapping import FieldMapping
from jobs.sources.opening import inspect, opened, read

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.opening import Layout
    from jobs.sources.record import Entity, Item

POSTS = 'external_id = "id"\ncreated_at = "created"\nkind = { const = "toot" }\n'
AUTHOR = 'author.external_id = "account.id"\nauthor.name = "account.name"\n'


def mapping(toml: str) -> FieldMapping:
    return FieldMapping.model_validate(tomllib.loads(toml))


def laid_out(path: Path, content: bytes, toml: str, entity: Entity = "posts") -> Layout:
    path.write_bytes(content)
    return inspect(path, format="auto", entity=entity, mapping=mapping(toml))


def items(layout: Layout, start: int | None = None) -> list[Item]:
    with opened(layout) as stream:
        return list(read(stream, layout, layout.start if start is None else start))


def csv_items(folder: Path, toml: str, text: str, entity: Entity = "posts") -> list[Item]:
    return items(laid_out(folder / "some.csv", text.encode(), toml, entity))
