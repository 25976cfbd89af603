"""Which entity a file holds, where the format itself does not say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.columns import COLUMNS
from jobs.sources.errors import MappingError, UnknownEntityError

if TYPE_CHECKING:
    from collections.abc import Collection

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity

# Columns that tell their entity from the others; a tag is told by having none of them but a name.
TELLING: dict[Entity, frozenset[str]] = {
    "posts": frozenset(COLUMNS["posts"]) - set(COLUMNS["users"]),
    "users": frozenset(COLUMNS["users"]) - set(COLUMNS["posts"]),
}


def entity_of(
    seen: Glimpse, names: Collection[str], asked: Entity | None, mapping: FieldMapping | None
) -> Entity:
    """Tell the entity: as it is asked for, else by the mapping, the file's name, or the fields' own names.

    Raises:
        UnknownEntityError: nothing tells.
        MappingError: the mapping has not the fields of that entity.

    """
    if mapping:
        return _mapped_entity(seen, asked or mapping.entity or entity_of_name(seen.name.stem), mapping)
    entity = asked or entity_of_name(seen.name.stem) or entity_of_fields(names)
    if entity is None:
        raise UnknownEntityError(
            seen.path, "neither its name nor its fields tell users, posts or tags", "name it with --entity"
        )
    return entity


def _mapped_entity(seen: Glimpse, entity: Entity | None, mapping: FieldMapping) -> Entity:
    if entity is None:
        untold = "neither its name nor its mapping tells users, posts or tags"
        raise UnknownEntityError(seen.path, untold, "write entity into [file] of the mapping")
    if problem := mapping.problem(entity):
        raise MappingError(seen.path, f"is mapped to {entity}, but {problem}", "mend the mapping")
    return entity


def entity_of_name(stem: str) -> Entity | None:
    """Tell the entity by the words of a file's name, if they name exactly one."""
    words = re.findall("[a-z]+", stem.lower())
    named = [entity for entity in COLUMNS if entity in words]
    return named[0] if len(named) == 1 else None


def entity_of_fields(names: Collection[str]) -> Entity | None:
    """Tell the entity by the names of fields."""
    if "external_id" in names:
        return next((entity for entity, telling in TELLING.items() if not telling.isdisjoint(names)), None)
    others = (TELLING["posts"] | TELLING["users"]) - {"name"}
    return "tags" if "name" in names and others.isdisjoint(names) else None
