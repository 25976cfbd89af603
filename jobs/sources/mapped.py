"""Foreign records by a mapping: each of our fields from where it says, and the names of what it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from jobs.columns import COLUMNS, REQUIRED
from jobs.mapping import AUTHOR_IN_POST, Tags, Time, Value
from jobs.mapping_values import steps
from jobs.sources.errors import MappingError, UnloadableError
from jobs.sources.times import time_reader
from jobs.sources.values import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from jobs.mapping import FieldMapping
    from jobs.sources.record import Entity

    Steps: TypeAlias = tuple[str, ...]
    # The names that are read, below each other; what is read whole has none below it.
    Tree: TypeAlias = "dict[str, Tree]"

AUTHOR = "author."


@dataclass(frozen=True, slots=True)
class MappedField:
    """One of our fields: where its value is, and how it is made of what is there."""

    name: str
    paths: tuple[Steps, ...]
    const: object
    null: frozenset[str]
    convert: Callable[[Any], object] | None

    def value(self, record: object) -> object:
        """Give the first value that is there; raise UnloadableError if it is not written as it should be."""
        for path in self.paths:
            value = reached(self.name, record, path, is_last=path is self.paths[-1])
            if value is not None and not (isinstance(value, str) and value in self.null):
                return self.convert(value) if self.convert else value
        return self.const


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A mapping for the records of one entity; `fields` are in the order of COLUMNS, then the author's.

    Two are never equal, so that what is kept for one is found by it quickly.
    """

    source: FieldMapping
    fields: tuple[MappedField, ...]
    tree: Tree
    unsaid: tuple[str, ...]
    """The author's fields that it does not name."""
    makes_author: bool

    def values(self, record: object) -> list[object]:
        """Give the values of a record; raise UnloadableError if one is not written as it should be."""
        return [field.value(record) for field in self.fields]

    def unknown(self, record: dict[str, Any]) -> tuple[str, ...]:
        """Give the names of the fields that are not read, of those in objects that are with their path."""
        return tuple(_unread(record, self.tree, ""))


def mapped(mapping: FieldMapping, entity: Entity, columns: Collection[str] = ()) -> Mapped:
    """Make a mapping ready for an entity. A path that is the name of one of the `columns` means that one."""
    fields = [_field(*_said(mapping, name), mapping, columns) for name in COLUMNS[entity]]
    author = mapping.author if entity == "posts" else None
    if author:
        said = {name: getattr(author, name) for name in COLUMNS["users"]}
        fields += [_field(AUTHOR + name, said[name], mapping, columns) for name in said]
    tree: Tree = {}
    for path in (path for field in fields for path in field.paths):
        _plant(tree, path)
    unsaid = tuple(name for name in COLUMNS["users"] if author and getattr(author, name) is None)
    return Mapped(mapping, tuple(fields), tree, unsaid, author is not None)


def check_reached(path: Path, records: Sequence[dict[str, Any]], mapping: Mapped, entity: Entity) -> None:
    """Raise MappingError if none of the first records has what every one needs."""
    for field in mapping.fields[: len(COLUMNS[entity])]:
        if records and field.name in REQUIRED[entity] and not any(map(partial(_has, field), records)):
            where = " or ".join(".".join(path) for path in field.paths)
            problem = f"none of its first records has {where!a}, where its mapping has {field.name}"
            raise MappingError(path, problem, "mend the path in the mapping")


def _has(field: MappedField, record: dict[str, Any]) -> bool:
    try:
        return field.value(record) is not None
    except UnloadableError as error:
        return error.rule != "type"


def _said(mapping: FieldMapping, name: str) -> tuple[str, Any]:
    """Give the name that a field has in a mapping, if only as one of the author's, and what it says of it."""
    said = getattr(mapping, name)
    if said is None and mapping.author and name in AUTHOR_IN_POST:
        return AUTHOR + AUTHOR_IN_POST[name], getattr(mapping.author, AUTHOR_IN_POST[name])
    return name, said


def _field(name: str, said: Any, mapping: FieldMapping, columns: Collection[str]) -> MappedField:
    value = said if isinstance(said, Value) else None
    paths = value.path if value else said
    written = (paths,) if isinstance(paths, str) else paths or ()
    return MappedField(
        name=name,
        paths=tuple((path,) if path in columns else steps(path) for path in written),
        const=value.const if value else None,
        null=frozenset((*mapping.file.null, *(value.null if value else ()))),
        convert=_conversion(name, value),
    )


def _conversion(name: str, value: BaseModel | None) -> Callable[[Any], object] | None:
    if isinstance(value, Time) and (value.date or value.zone):
        return time_reader(name, value.date, value.zone)
    if isinstance(value, Tags) and (value.separator or value.name):
        return _tag_reader(value.separator, steps(value.name) if value.name else None)
    return None


def reached(field: str, value: object, path: Steps, *, is_last: bool = True) -> object:
    """Follow a path; what stands where an object should costs the record, unless other paths follow."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif value is None or not is_last:
            return None
        else:
            raise UnloadableError("type", f"{field}: no object with {shown(step)} but {shown(value)}")
    return value


def _tag_reader(separator: str | None, name: Steps | None) -> Callable[[Any], object]:
    def names(value: Any) -> object:
        if separator and isinstance(value, str):
            return value.split(separator)
        if name and isinstance(value, list):
            return [reached("tags", each, name) if isinstance(each, dict) else each for each in value]
        return value

    return names


def _plant(tree: Tree, path: Steps) -> None:
    *outer, last = path
    for step in outer:
        if step in tree and not tree[step]:
            return  # read whole already
        tree = tree.setdefault(step, {})
    tree[last] = {}


def _unread(record: dict[str, Any], tree: Tree, prefix: str) -> Iterator[str]:
    for name, value in record.items():
        if name not in tree:
            yield prefix + name
        elif tree[name] and isinstance(value, dict):
            yield from _unread(value, tree[name], f"{prefix}{name}.")
