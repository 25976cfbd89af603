"""The run ledger: what was asked for, who works on it, how far it got and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    Uuid,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship, selectinload

from models.base import Base, count, exact_string, small_int
from models.clock import now
from models.dialect import insert_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncSession


class State(StrEnum):
    """Where a run stands. A retry goes back to `queued` with a later `run_at`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# The queue of runs whose request names no other; a worker serves it and the one for bulk work.
DEFAULT_QUEUE = "default"
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

# The counts of a receipt, as columns.
COUNTS = ("records_read", "inserted", "updated", "unchanged", "deleted", "rejected", "skipped", "repaired")


class Run(Base):
    """The durable record of one request; its id is also the arq job id.

    `attempt` grows with every take and is the fencing token: a transaction of an older attempt cannot
    commit. `failures` counts only attempts that failed, not those that a shutdown or a crash cut short;
    `crashes` counts workers that died on the run since it last committed a batch. Of all runs with the same
    `limit_key`, at most `limit_count` are running. A run that was split starts `follow_up` when the last of
    its `open_children` has succeeded. `traceparent` is the W3C trace context of whoever asked.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "state", "run_at"),
        Index(None, "created_at"),
        Index(None, "limit_key", "state"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    job: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]]
    queue: Mapped[str] = mapped_column(String(32), default=DEFAULT_QUEUE, server_default=DEFAULT_QUEUE)
    unique_key: Mapped[str | None] = mapped_column(exact_string(200), unique=True)
    parent_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("runs.id", ondelete="SET NULL"), index=True
    )
    limit_key: Mapped[str | None] = mapped_column(exact_string(200))
    limit_count: Mapped[int | None]
    open_children: Mapped[small_int] = mapped_column(default=0, server_default="0")
    follow_up: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    traceparent: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    attempt: Mapped[small_int] = mapped_column(default=0)
    failures: Mapped[small_int] = mapped_column(default=0)
    crashes: Mapped[small_int] = mapped_column(default=0)
    run_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(128))
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    bytes_done: Mapped[count]
    bytes_total: Mapped[count]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # Read with selectinload where runs are listed, with `await run.awaitable_attrs.receipts` for one run.
    receipts: Mapped[list[Receipt]] = relationship(order_by="Receipt.entity", passive_deletes=True)


class Receipt(Base):
    """The counts a run answers for, by entity; the database refuses counts that do not add up."""

    __tablename__ = "receipts"
    __table_args__ = (
        CheckConstraint("records_read = inserted + updated + unchanged + rejected + skipped", name="adds_up"),
    )

    run_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    records_read: Mapped[count]
    inserted: Mapped[count]
    updated: Mapped[count]
    unchanged: Mapped[count]
    deleted: Mapped[count]
    rejected: Mapped[count]
    skipped: Mapped[count]
    repaired: Mapped[count]
    unknown_fields: Mapped[dict[str, Any]] = mapped_column(default=dict)


async def add_run(session: AsyncSession, row: dict[str, Any]) -> UUID:
    """Write a queued run in the caller's transaction; where its unique key exists, return that run's id."""
    moment = (await session.execute(select(now()))).scalar_one()
    row = {"id": uuid4(), "run_at": moment, **{k: v for k, v in row.items() if v is not None}}
    row |= dict.fromkeys(("attempt", "failures", "crashes"), 0) | {
        "state": State.QUEUED,
        "bytes_done": 0,
        "bytes_total": 0,
    }
    await session.execute(insert_missing(session, Run.__table__), [row | {"created_at": moment}])
    same = Run.unique_key == row["unique_key"] if row.get("unique_key") else Run.id == row["id"]
    return (await session.execute(select(Run.id).where(same))).scalar_one()


async def claim(session: AsyncSession, run_id: UUID, worker: str, lease_seconds: float) -> Run | None:
    """Take a queued run that is due: one worker wins, the others get None."""
    won = await session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == State.QUEUED, Run.run_at <= now())
        .values(
            state=State.RUNNING,
            attempt=Run.attempt + 1,
            worker=worker,
            lease_until=now(lease_seconds),
            started_at=func.coalesce(Run.started_at, now()),
            error=None,
        )
        .execution_options(synchronize_session=False)
    )
    return await session.get(Run, run_id) if won.rowcount else None  # type: ignore[attr-defined]


async def seconds_until_due(session: AsyncSession, run_id: UUID) -> float | None:
    """Say in how many seconds a run may be taken: at its time, or when its lease runs out; None if never."""
    run = await session.get(Run, run_id)
    if run is None or run.state in FINISHED:
        return None
    moment = (await session.execute(select(now()))).scalar_one()
    due = run.lease_until if run.state == State.RUNNING and run.lease_until else run.run_at
    return max((due - moment).total_seconds(), 0.0)


def held(run_id: UUID, attempt: int) -> ColumnElement[bool]:
    """Match the run only while this attempt holds it: the fence."""
    return (Run.id == run_id) & (Run.attempt == attempt) & (Run.state == State.RUNNING)


async def is_held(session: AsyncSession, run_id: UUID, attempt: int) -> bool:
    """Tell whether this attempt still holds the run."""
    return await session.scalar(select(Run.id).where(held(run_id, attempt))) is not None


async def update_held(session: AsyncSession, run_id: UUID, attempt: int, values: dict[str, Any]) -> bool:
    """Change the run if this attempt still holds it; False means that the fence is closed."""
    statement = update(Run).where(held(run_id, attempt)).values(values)
    done = await session.execute(statement.execution_options(synchronize_session=False))
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def take_back_expired(session: AsyncSession, most_crashes: int) -> Sequence[Row[UUID, str]]:
    """Queue again every run whose worker let its lease run out; park it if that happened too often.

    Return the runs' ids and new states.
    """
    query = select(Run.id).where(Run.state == State.RUNNING, Run.lease_until < now())
    expired = (await session.scalars(query.with_for_update(skip_locked=True))).all()
    if not expired:
        return []
    parked = Run.crashes + 1 >= most_crashes
    error = f"its worker died {most_crashes} times without committing anything"
    await session.execute(
        update(Run)
        .where(Run.id.in_(expired), Run.state == State.RUNNING, Run.lease_until < now())
        .values(
            state=case((parked, State.FAILED), else_=State.QUEUED),
            error=case((parked, error), else_=Run.error),
            finished_at=case((parked, now()), else_=None),
            crashes=Run.crashes + 1,
            lease_until=None,
            worker=None,
        )
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(select(Run.id, Run.state).where(Run.id.in_(expired)))).all()


async def cancel_runs(session: AsyncSession, run_ids: Collection[UUID]) -> int:
    """Cancel queued and running runs; a running one stops at once and keeps what it committed."""
    statement = update(Run).where(Run.id.in_(run_ids), Run.state.in_((State.QUEUED, State.RUNNING)))
    values = {"state": State.CANCELLED, "finished_at": now(), "lease_until": None, "error": "cancelled"}
    done = await session.execute(statement.values(values).execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


async def retry_runs(session: AsyncSession, which: ColumnElement[bool]) -> int:
    """Queue failed and cancelled runs again, from their checkpoints and with all their tries."""
    statement = update(Run).where(which, Run.state.in_((State.FAILED, State.CANCELLED)))
    values = {
        "state": State.QUEUED,
        "run_at": now(),
        "failures": 0,
        "crashes": 0,
        "error": None,
        "finished_at": None,
    }
    done = await session.execute(statement.values(values).execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


async def find_runs(session: AsyncSession, prefix: str) -> Sequence[Run]:
    """Find runs whose id begins with hexadecimal digits, at most two: one is a hit, two are ambiguous."""
    digits = prefix.replace("-", "").lower()
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return (await session.scalars(select(Run).where(Run.id.between(low, high)).limit(2))).all()


async def list_runs(session: AsyncSession, state: State | None, limit: int) -> Sequence[Run]:
    """List the newest runs with their receipts, of one state or of all."""
    query = select(Run).options(selectinload(Run.receipts)).order_by(Run.created_at.desc()).limit(limit)
    return (await session.scalars(query.where(Run.state == state) if state else query)).all()


async def receipt_totals(session: AsyncSession, run_id: UUID) -> dict[str, int]:
    """Add up the receipts of a run, without the counts that are zero."""
    receipts = (await session.scalars(select(Receipt).where(Receipt.run_id == run_id))).all()
    totals = {name: sum(getattr(receipt, name) for receipt in receipts) for name in COUNTS}
    return {name: total for name, total in totals.items() if total}


async def family(session: AsyncSession, run_id: UUID) -> Sequence[str]:
    """List the states of a run and of all runs that follow from it."""
    line = select(Run.id, Run.state).where(Run.id == run_id).cte(recursive=True)
    child = aliased(Run)
    line = line.union_all(select(child.id, child.state).join(line, child.parent_id == line.c.id))
    return (await session.scalars(select(line.c.state))).all()


async def delete_finished(session: AsyncSession, keep_days: float, limit: int) -> int:
    """Delete up to `limit` runs that finished more than `keep_days` ago, with receipts and rejects."""
    old = select(Run.id).where(Run.state.in_(FINISHED), Run.finished_at < now(-keep_days * 86_400))
    ids = (await session.scalars(old.order_by(Run.finished_at).limit(limit))).all()
    if ids:
        await session.execute(delete(Run).where(Run.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)


async def due_runs(session: AsyncSession, limit: int) -> Sequence[Row[UUID, str]]:
    """List queued runs whose time has come, the longest waiting first, as (id, job)."""
    query = (
        select(Run.id, Run.job)
        .where(Run.state == State.QUEUED, Run.run_at <= now())
        .order_by(Run.run_at)
        .limit(limit)
    )
    return (await session.execute(query)).all()
