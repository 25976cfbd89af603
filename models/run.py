"""The run ledger: what was asked for, who works on it, how far it got and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    and_,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from models.base import Base, JsonOrNull, LongText, UuidKey, count, small_int
from models.clock import now
from models.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement
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


class Run(Base):
    """The durable record of one request; its id is also the arq job id.

    `attempt` grows with every take and is the fencing token: a transaction of an older attempt cannot
    commit. `failures` counts only attempts that failed, not those that a shutdown or a crash cut short;
    `crashes` counts workers that died on the run since it last committed a batch. Of all runs with the same
    `limit_key`, at most `limit_count` are running. A run that was split goes on with `follow_up`, more parts
    or another run, when the last of its `open_children`, numbered by `part`, has succeeded. `traceparent` is
    the W3C trace context of whoever asked.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "state", "run_at"),
        Index(None, "created_at"),
        Index(None, "limit_key", "state"),
    )

    id: Mapped[UUID] = mapped_column(UuidKey, primary_key=True, default=uuid4)
    job: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]]
    queue: Mapped[str] = mapped_column(String(32), default=DEFAULT_QUEUE, server_default=DEFAULT_QUEUE)
    unique_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    parent_id: Mapped[UUID | None] = mapped_column(
        UuidKey, ForeignKey("runs.id", ondelete="SET NULL"), index=True
    )
    part: Mapped[int | None]
    limit_key: Mapped[str | None] = mapped_column(String(200))
    limit_count: Mapped[int | None]
    open_children: Mapped[small_int] = mapped_column(default=0, server_default="0")
    follow_up: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    traceparent: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    attempt: Mapped[small_int] = mapped_column(default=0)
    failures: Mapped[small_int] = mapped_column(default=0)
    crashes: Mapped[small_int] = mapped_column(default=0)
    run_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(128))
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    bytes_done: Mapped[count]
    bytes_total: Mapped[count]
    result: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    error: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # Read with selectinload where runs are listed, with `await run.awaitable_attrs.receipts` for one run.
    receipts: Mapped[list[Receipt]] = relationship(order_by="Receipt.entity", passive_deletes=True)


def transaction_name(job: str, run_id: UUID) -> str:
    """Name the transactions of a run for the server's administrator, and for whoever takes the run over."""
    return f"headrace {job} {str(run_id)[:8]}"


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


async def bury_runs(session: AsyncSession, run_ids: Collection[UUID], error: str) -> None:
    """Park queued runs that can never be carried out as failed."""
    values = {"state": State.FAILED, "finished_at": now(), "error": error}
    statement = update(Run).where(Run.id.in_(run_ids), Run.state == State.QUEUED).values(values)
    await session.execute(statement.execution_options(synchronize_session=False))


async def find_runs(session: AsyncSession, prefix: str) -> Sequence[Run]:
    """Find runs whose id begins with hexadecimal digits, at most two: one is a hit, two are ambiguous."""
    digits = prefix.replace("-", "").lower()
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return (await session.scalars(select(Run).where(Run.id.between(low, high)).limit(2))).all()


async def unfinished(session: AsyncSession, run_ids: Collection[UUID]) -> set[UUID]:
    """Say which of the runs are there and have not ended."""
    which = Run.id.in_(run_ids) & Run.state.not_in(FINISHED)
    return set((await session.scalars(select(Run.id).where(which))).all())


async def list_runs(
    session: AsyncSession,
    state: State | None,
    limit: int,
    *,
    job: str | None = None,
    after: tuple[datetime, UUID] | None = None,
) -> Sequence[Run]:
    """List the newest runs with their receipts, of one state and job or of all.

    `after` is when the last run of the page before was asked for, and its id.
    """
    query = select(Run).options(selectinload(Run.receipts)).order_by(Run.created_at.desc(), Run.id.desc())
    if state:
        query = query.where(Run.state == state)
    if job:
        query = query.where(Run.job == job)
    if after:
        at, run_id = after
        query = query.where(or_(Run.created_at < at, and_(Run.created_at == at, Run.id < run_id)))
    return (await session.scalars(query.limit(limit))).all()


async def delete_finished(session: AsyncSession, keep_days: float, limit: int) -> int:
    """Delete up to `limit` runs that finished more than `keep_days` ago, with receipts and rejects."""
    old = select(Run.id).where(Run.state.in_(FINISHED), Run.finished_at < now(-keep_days * 86_400))
    ids = (await session.scalars(old.order_by(Run.finished_at).limit(limit))).all()
    if ids:
        await session.execute(delete(Run).where(Run.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)
