"""A run as a document: what `headrace run --json` prints and the HTTP API answers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobs import digests
from jobs.fetching.places import shown
from jobs.import_requests import ImportRecords
from jobs.requests import SweepSite
from models.family import family, parts_of
from models.receipt import COUNTS
from models.reject import rejects_by_rule
from models.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.receipt import Receipt


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
        "result": _result_of(run, parts),
        "request": shown_request(run),
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


def shown_request(run: Run) -> dict[str, Any]:
    """Give what was asked for: URLs without what may be a secret, of the records it carries their number."""
    if run.job != ImportRecords.job:
        return {name: _without_secrets(value) for name, value in run.request.items()}
    return {name: len(value) if isinstance(value, list) else value for name, value in run.request.items()}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return shown(value) if isinstance(value, str) else value


def _entity_of(receipts: Sequence[Receipt]) -> dict[str, Any]:
    unknown = sum((Counter(receipt.unknown_fields) for receipt in receipts), Counter[str]())
    digest = digests.shown(sum(receipt.digest for receipt in receipts))
    return {**counts_of(receipts), "digest": digest, "unknown_fields": dict(unknown)}


def _result_of(run: Run, parts: Sequence[Run]) -> dict[str, Any] | None:
    """Give what the job answered; of a snapshot that was split, what its sweep did."""
    sweeps = [part.result for part in parts if part.job == SweepSite.job]
    return sweeps[-1] if sweeps else run.result


def _state_of(run: Run, parts: Sequence[Run]) -> tuple[str, str | None]:
    """Give the state of a run and its parts as one, and the error of the first that has one."""
    states = {part.state for part in parts} | {run.state}
    for state in (State.FAILED, State.CANCELLED, State.RUNNING, State.QUEUED):
        if state in states:
            error = next((part.error for part in (run, *parts) if part.state == state), None)
            shown = State.RUNNING if parts and state == State.QUEUED else state
            return shown, error
    return run.state, run.error


async def document_in(session: AsyncSession, run_id: UUID) -> dict[str, Any]:
    """Read a run and describe it.

    Raises:
        NoResultFound: there is none.

    """
    run = await session.get_one(Run, run_id)
    await run.awaitable_attrs.receipts
    return document_of(run, await parts_of(session, run_id))


async def details_in(session: AsyncSession, run_id: UUID) -> dict[str, Any]:
    """Describe a run with its rejects by rule, and with the states of the runs that follow from it.

    Raises:
        NoResultFound: there is none.

    """
    document = await document_in(session, run_id)
    counts = await rejects_by_rule(session, run_id)
    document["rejects_by_rule"] = {rule: count.open + count.replayed for rule, count in counts.items()}
    document["replayed_by_rule"] = {rule: count.replayed for rule, count in counts.items() if count.replayed}
    children = Counter(state for child, state in await family(session, [run_id]) if child != run_id)
    document["children"] = {state.value: children[state] for state in State}
    return document
