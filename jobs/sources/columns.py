"""What the columns of a table must be, whether they stand in a CSV header or in a schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from jobs.columns import COLUMNS, NOT_READ, REQUIRED
from jobs.sources.errors import MappingError, UnknownColumnsError
from jobs.sources.fields import NAME_CHARS
from jobs.sources.text import repaired

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobs.sources.mapped import Mapped, Steps
    from jobs.sources.record import Entity


def check_columns(path: Path, columns: Sequence[str], entity: Entity) -> None:
    """Raise UnknownColumnsError if a column that every record needs is missing, or one is there twice."""
    for name in REQUIRED[entity]:
        if columns.count(name) == 0:
            given = ", ".join(columns)[:80]
            raise UnknownColumnsError(path, f"it has no column {name}: {given!a}", "rename the columns")
    _check_once(path, columns, COLUMNS[entity])


def check_mapped(
    path: Path, columns: Sequence[str], mapping: Mapped, reaches: Callable[[Steps], bool]
) -> None:
    """Raise an error if none of a field's paths `reaches` a value, or a column to read is there twice."""
    for field in mapping.fields:
        if field.paths and not any(map(reaches, field.paths)):
            wanted, given = ".".join(field.paths[0]), ", ".join(columns)[:200]
            problem = f"it has no {wanted!a}, where its mapping has {field.name}: {given!a}"
            raise MappingError(path, problem, "mend the path in the mapping")
    _check_once(path, columns, tuple(mapping.tree))


def _check_once(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if columns.count(name) > 1:
            raise UnknownColumnsError(path, f"it has the column {name!a} twice", "rename one of them")


@lru_cache(maxsize=64)
def unknown_columns(
    columns: tuple[str, ...], entity: Entity, mapping: Mapped | None = None
) -> tuple[str, ...]:
    """Give the names of the columns that are not read, as they are kept."""
    known = mapping.tree if mapping else (*COLUMNS[entity], *NOT_READ)
    return tuple(repaired(name)[0][:NAME_CHARS] for name in columns if name not in known)
