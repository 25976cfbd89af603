"""How runs are shown: as JSON documents and as tables."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

from models.family import parts_of
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


def document_of(run: Run, parts: Sequence[Run] = ()) -> dict[str, Any]:
    """Describe a run whose receipts are loaded: the receipt's totals, and each entity's where several.

    Of a run that was split, the receipts and the state are those of its parts together.
    """
    state, error = _state_of(run, parts)
    ended = max(part.finished_at or datetime.now(UTC) for part in (run, *parts))
    seconds = (ended - run.started_at).total_seconds() if run.started_at else 0.0
    if state == State.QUEUED:
        seconds = 0.0
    receipts = [receipt for part in (run, *parts) for receipt in part.receipts]
    document: dict[str, Any] = {
        "run_id": str(run.id),
        "job": run.job,
        "state": state,
        **counts_of(receipts),
        "seconds": round(max(seconds, 0.0), 3),
        "attempt": run.attempt,
        "failures": run.failures,
        "error": error,
        "result": run.result,
        "request": run.request,
        "progress": {
            "bytes_done": sum(part.bytes_done for part in (run, *parts)),
            "bytes_total": sum(part.bytes_total for part in (run, *parts)),
        },
        "created_at": run.created_at,
        "run_at": run.run_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "parent_id": str(run.parent_id) if run.parent_id else None,
    }
    if parts:
        document["parts"] = [{"run_id": str(part.id), "job": part.job, "state": part.state} for part in parts]
    document["entities"] = {
        entity: _entity_of([receipt for receipt in receipts if receipt.entity == entity])
        for entity in sorted({receipt.entity for receipt in receipts})
    }
    return document


def _entity_of(receipts: Sequence[Receipt]) -> dict[str, Any]:
    unknown = sum((Counter(receipt.unknown_fields) for receipt in receipts), Counter[str]())
    return {**counts_of(receipts), "unknown_fields": dict(unknown)}


def _state_of(run: Run, parts: Sequence[Run]) -> tuple[str, str | None]:
    """Give the state of a run and its parts as one, and the error of the first that has one."""
    states = {part.state for part in parts} | {run.state}
    for state in (State.FAILED, State.CANCELLED, State.RUNNING, State.QUEUED):
        if state in states:
            error = next((part.error for part in (run, *parts) if part.state == state), None)
            shown = State.RUNNING if parts and state == State.QUEUED else state
            return shown, error
    return run.state, run.error


async def run_document(resources: Resources, run_id: UUID) -> dict[str, Any]:
    """Read a run and describe it."""
    async with resources.database.reading() as session:
        run = await session.get_one(Run, run_id)
        await run.awaitable_attrs.receipts
        return document_of(run, await parts_of(session, run_id))


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
