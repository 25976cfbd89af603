"""How runs are shown in a terminal: as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE
from rich.table import Table

from models.receipt import COUNTS
from worker.cli.app import out
from worker.run_documents import shown_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def in_zone(moment: datetime | None, zone: str) -> str:
    """Show a moment as a clock of the zone has it, or nothing."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if moment else ""


def show_receipt(document: dict[str, Any]) -> None:
    """Print a run's counts, an entity a line, and what came of it."""
    table = Table(box=SIMPLE, title=f"run {document['run_id']} · {document['job']} · {document['state']}")
    table.add_column("entity")
    for name in COUNTS:
        table.add_column(shown_name(name), justify="right")
    rows = dict(document["entities"])
    if len(rows) > 1:
        rows["total"] = document
    for entity, counts in rows.items():
        table.add_row(entity, *(f"{counts[shown_name(name)]:,}" for name in COUNTS))
    out.print(table)
    rate = document["read"] / document["seconds"] if document["seconds"] else 0
    out.print(f"{document['seconds']:.1f} s, {rate:,.0f} records/s, attempt {document['attempt']}")
    if "writer" in (document["result"] or {}):
        out.print("written by {writer}: {why}".format(**document["result"]), markup=False)
    if vanished := (document["result"] or {}).get("vanished"):
        counted = ", ".join(f"{number:,} {entity}" for entity, number in vanished.items())
        out.print(f"vanished from the snapshot: {counted}", markup=False)
    digests = ", ".join(f"{entity} {counts['digest']}" for entity, counts in document["entities"].items())
    if digests:
        out.print(f"digests of what was loaded: {digests}", markup=False)
    for entity, counts in document["entities"].items():
        if counts["unknown_fields"]:
            out.print(f"{entity}: fields that are not kept: {counts['unknown_fields']}", markup=False)


def show_runs(documents: Sequence[dict[str, Any]]) -> None:
    """Print runs, a line each, the newest first."""
    table = Table(box=SIMPLE)
    for column in ("run", "job", "state", "attempt", "read", "rejected", "seconds", "created", "error"):
        table.add_column(column, overflow="fold")
    for d in documents:
        table.add_row(
            d["run_id"][:8],
            d["job"],
            d["state"],
            str(d["attempt"]),
            f"{d['read']:,}",
            f"{d['rejected']:,}",
            f"{d['seconds']:.1f}",
            f"{d['created_at']:%Y-%m-%d %H:%M:%S}",
            d["error"] or "",
        )
    out.print(table)
