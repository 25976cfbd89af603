"""What is known of a file before its first record is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.record import Entity, Format


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read the file at `path`: the first record begins at byte `start` of its `size` bytes.

    `columns` are the names in a CSV file's header, in order; other formats name their fields in each record.
    Records that begin at byte `stop` or behind it are left to others.
    """

    path: Path
    format: Format
    entity: Entity
    start: int
    size: int
    columns: tuple[str, ...] = ()
    stop: int | None = None
