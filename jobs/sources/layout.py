"""What is known of a file before its first record is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.compression import Compression
    from jobs.sources.mapped import Mapped
    from jobs.sources.record import Entity, Format


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read the file of `size` bytes at `path`: its first record begins at byte `start`.

    Offsets are those of the unpacked bytes, if it has a `compression`.

    `columns` are the names in a CSV file's header, in order; other formats name their fields in each record.
    Records that begin at byte `stop` or behind it are left to others. With a `mapping` they are of another
    shape than ours.
    """

    path: Path
    format: Format
    entity: Entity
    start: int
    size: int
    columns: tuple[str, ...] = ()
    stop: int | None = None
    compression: Compression | None = None
    delimiter: str = ","
    mapping: Mapped | None = None
