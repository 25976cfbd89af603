"""The files of a run in the ledger: written down when they are begun, and found again by whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from jobs.mapping import FieldMapping
from jobs.sources.compression import COMPRESSIONS
from jobs.sources.layout import Layout
from jobs.sources.mapped import mapped
from models.run_file import RunFile

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.sources.record import Entity, Format


LISTED = "records"
"""The format of what a request carries."""


def noted(layout: Layout, *, site: str, run_id: UUID, root_id: UUID, number: int) -> RunFile:
    """Describe a file that a run begins to read.

    Raises:
        OSError: the file is gone.

    """
    details: dict[str, Any] = {
        "start": layout.start,
        "stop": layout.stop,
        "columns": list(layout.columns),
        "compression": layout.compression and layout.compression.name,
    }
    if layout.mapping:
        details["mapping"] = layout.mapping.source.model_dump(mode="json", exclude_defaults=True)
    return RunFile(
        run_id=run_id,
        root_id=root_id,
        number=number,
        site=site,
        entity=layout.entity,
        format=layout.format,
        path=str(layout.path),
        layout=details,
        size=layout.size,
        mtime_ns=layout.path.stat().st_mtime_ns,
    )


def listed(*, site: str, entity: Entity, run_id: UUID, root_id: UUID, number: int) -> RunFile:
    """Describe a list of records that a request carries: a file without a path."""
    layout: dict[str, Any] = {"start": 0, "stop": None, "columns": [], "compression": None}
    return RunFile(
        run_id=run_id,
        root_id=root_id,
        number=number,
        site=site,
        entity=entity,
        format=LISTED,
        path="",
        layout=layout,
        size=0,
        mtime_ns=0,
    )


def layout_of(file: RunFile, corrected: FieldMapping | None = None) -> Layout:
    """Give the layout that a file had when it was read; a list of records reads as JSON Lines.

    A `corrected` mapping takes the place of the one that it was read by.
    """
    details: dict[str, Any] = file.layout
    entity, columns = cast("Entity", file.entity), tuple(details["columns"])
    mapping = corrected
    if mapping is None and "mapping" in details:
        mapping = FieldMapping.model_validate(details["mapping"])
    return Layout(
        path=Path(file.path),
        format=cast("Format", "jsonl" if file.format == LISTED else file.format),
        entity=entity,
        start=details["start"],
        size=file.size,
        columns=columns,
        stop=details["stop"],
        compression=next((known for known in COMPRESSIONS if known.name == details["compression"]), None),
        delimiter=mapping.file.delimiter or "," if mapping else ",",
        mapping=mapped(mapping, entity, columns) if mapping else None,
    )


def what_is_left(file: RunFile) -> Literal["unchanged", "changed", "gone"]:
    """Tell whether what a run has read is still where it was."""
    try:
        found = Path(file.path).stat()
    except (OSError, ValueError):
        return "gone"
    return "unchanged" if (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns) else "changed"


def is_as_it_was(file: RunFile) -> bool:
    """Tell whether what is at the path is still what was read."""
    return what_is_left(file) == "unchanged"
