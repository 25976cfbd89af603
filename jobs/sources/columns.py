"""What the columns of a table must be, whether they stand in a CSV header or in a schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from jobs.sources.errors import UnknownColumnsError
from jobs.sources.fields import COLUMNS, NAME_CHARS, NOT_READ, REQUIRED
from jobs.sources.text import repaired

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.sources.record import Entity


def check_columns(path: Path, columns: Sequence[str], entity: Entity) -> None:
    """Raise UnknownColumnsError if a column that every record needs is missing, or one is there twice."""
    for name in REQUIRED[entity]:
        if columns.count(name) == 0:
            given = ", ".join(columns)[:80]
            raise UnknownColumnsError(path, f"it has no column {name}: {given!a}", "rename the columns")
    for name in COLUMNS[entity]:
        if columns.count(name) > 1:
            raise UnknownColumnsError(path, f"it has the column {name} twice", "rename one of them")


@lru_cache(maxsize=64)
def unknown_columns(columns: tuple[str, ...], entity: Entity) -> tuple[str, ...]:
    """Give the names of the columns that are not read, as they are kept."""
    known = (*COLUMNS[entity], *NOT_READ)
    return tuple(repaired(name)[0][:NAME_CHARS] for name in columns if name not in known)
