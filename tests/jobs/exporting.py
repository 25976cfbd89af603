"""Making exports in this process, with overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.export_rows import export_rows
from jobs.requests import ExportRows
from tests.factories import SITE, running

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources


def request_of(path: Path, entity: Any, **more: Any) -> ExportRows:
    """Make the request for a file, its format known from the name."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return ExportRows(
        **({"entity": entity, "path": str(path), "site": SITE, "format": name.rpartition(".")[2]} | more)
    )


async def export(resources: Resources, path: Path, entity: Any, **more: Any) -> dict[str, Any]:
    """Make an export by a run of its own."""
    return await export_rows(await running(resources), request_of(path, entity, **more))
