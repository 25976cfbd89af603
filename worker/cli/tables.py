"""How runs are shown: as JSON documents and as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

from models.receipt import COUNTS
from models.run import Run, State
from worker.cli.app import out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from models.receipt import Receipt
    from worker.resources import Resources


def shown_name(count: str) -> str:
    """Name a count as the receipt shows it."""
    return "read" if count == "records_read" else count


def counts_of(receipts: Sequence[Receipt]) -> dict[str, int]:
    """Add up receipts."""
    return {shown_name(name): sum(getattr(receipt, name) for receipt in receipts) for name in COUNTS}


def document_of(run: Run) -> dict[str, Any]:
    """Describe a run whose receipts are loaded: the receipt's totals, and each entity's where several."""
    ended = run.finished_at or (datetime.now(UTC) if run.state == State.RUNNING else None)
    seconds = (ended - run.started_at).total_seconds() if run.started_at and ended else 0.0
    document: dict[str, Any] = {
        "run_id": str(run.id),
        "job": run.job,
        "state": run.state,
        **counts_of(run.receipts),
        "seconds": round(max(seconds, 0.0), 3),
        "attempt": run.attempt,
        "failures": run.failures,
        "error": run.error,
        "result": run.result,
        "request": run.request,
        "progress": {"bytes_done": run.bytes_done, "bytes_total": run.bytes_total},
        "created_at": run.created_at,
        "run_at": run.run_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "parent_id": str(run.parent_id) if run.parent_id else None,
    }
    document["entities"] = {
        receipt.entity: counts_of([receipt]) | {"unknown_fields": receipt.unknown_fields}
        for receipt in run.receipts
    }
    return document


async def run_document(resources: Resources, run_id: UUID) -> dict[str, Any]:
    """Read a run and describe it."""
    async with resources.database.reading() as session:
        run = await session.get_one(Run, run_id)
        await run.awaitable_attrs.receipts
        return document_of(run)


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
