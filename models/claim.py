"""Who works on a run: claims, leases, the fence, and what happens when a worker falls silent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import Double, bindparam, case, func, literal, select, tuple_, update

from models.clock import now
from models.dialect import application_name, dialect_of, end_transactions, insert_or_touch
from models.limit import AT_WORK, Limit
from models.run import Run, State, transaction_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import BindParameter, ColumnElement, Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    Held = tuple[UUID, int]  # a run and the attempt that holds it


class Claim(NamedTuple):
    """A run that was taken, as an attempt at it needs to know it."""

    id: UUID
    job: str
    request: dict[str, Any]
    queue: str
    attempt: int
    failures: int
    checkpoint: dict[str, Any] | None
    parent_id: UUID | None
    part: int | None
    limit_key: str | None
    traceparent: str | None
    run_at: datetime
    started_at: datetime


_runs = cast("Table", Run.__table__)


def held(run_id: UUID | BindParameter[UUID], attempt: int | BindParameter[int]) -> ColumnElement[bool]:
    """Match the run only while this attempt holds it: the fence."""
    return (_runs.c.id == run_id) & (_runs.c.attempt == attempt) & (_runs.c.state == State.RUNNING)


# Built once: these are what every run pays for.
_claimable = (
    Run.id.in_(bindparam("run_ids", expanding=True)),
    Run.state == State.QUEUED,
    Run.run_at <= now(),
)
_TAKEN: dict[Any, Any] = {
    "state": State.RUNNING,
    "attempt": Run.attempt + 1,
    "worker": bindparam("taker"),
    "lease_until": now(bindparam("lease_seconds", type_=Double())),
    "started_at": func.coalesce(Run.started_at, now()),
    "error": None,
}
_FREE = select(Run.id).where(*_claimable, Run.limit_key.is_(None)).with_for_update(skip_locked=True)
_CLAIMABLE = (
    select(Run.id, Run.limit_key, Run.limit_count)
    .where(*_claimable)
    .order_by(Run.run_at, Run.id)
    .with_for_update(skip_locked=True)
)
_needed = [_runs.c[name] for name in Claim._fields]
_TAKE = update(_runs).where(_runs.c.id.in_(bindparam("taken", expanding=True))).values(_TAKEN)
# The ids stand here once more because PostgreSQL would look at every run for a locking subquery alone.
_TAKE_FREE = update(_runs).where(_claimable[0], Run.id.in_(_FREE)).values(_TAKEN).returning(*_needed)
_TAKE_AND_READ = _TAKE.returning(*_needed)
_READ = select(*_needed).where(_runs.c.id.in_(bindparam("taken", expanding=True)))
_ID_JOB = select(Run.id, Run.job)
_ALL_HELD = (
    select(Run.id, Run.attempt)
    .where(tuple_(Run.id, Run.attempt).in_(bindparam("pairs", expanding=True)), Run.state == State.RUNNING)
    .order_by(Run.id)
)
_IS_HELD = select(_runs.c.checkpoint).where(held(bindparam("run_id"), bindparam("held_attempt")))
# A batch need not wait until the disk has its commit: if the server crashes, rows and checkpoint go together,
# the next batch does not find the checkpoint that it goes on from, and the commit that ends the run waits for
# all before it.
_WITHOUT_WAITING = func.set_config("synchronous_commit", "off", literal(True))  # noqa: FBT003
_IS_HELD_BY_NAME = {
    "postgresql": _IS_HELD.add_columns(*application_name("postgresql"), _WITHOUT_WAITING),
}


async def claim(
    session: AsyncSession, run_ids: Collection[UUID], worker: str, lease_seconds: float
) -> list[Claim]:
    """Take those of the runs that are queued, due and within their limits; each is won by one worker.

    A row that somebody else has locked is left alone: it is being taken, or an asker's transaction that
    relies on it is not committed yet.
    """
    found = (await session.execute(_CLAIMABLE, {"run_ids": list(run_ids)})).all()
    taken = await _within_limits(session, [(run_id, key, number) for run_id, key, number in found])
    if not taken:
        return []
    taker = {"taken": taken, "taker": worker, "lease_seconds": lease_seconds}
    if session.get_bind().dialect.update_returning:
        return _claims(await session.execute(_TAKE_AND_READ, taker))
    await session.execute(_TAKE, taker)
    return _claims(await session.execute(_READ, {"taken": taken}))


async def claim_free(
    connection: AsyncConnection, run_ids: Collection[UUID], worker: str, lease_seconds: float
) -> list[Claim]:
    """Take those of the runs that have no limit, like `claim`, with a single statement.

    A database that cannot give back what it has updated takes none.
    """
    if not connection.dialect.update_returning:
        return []
    taker = {"run_ids": list(run_ids), "taker": worker, "lease_seconds": lease_seconds}
    return _claims(await connection.execute(_TAKE_FREE, taker))


def _claims(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Claim]:
    return sorted((Claim(*row) for row in rows), key=lambda claim: claim.run_at)


async def _within_limits(
    session: AsyncSession, runs: Sequence[tuple[UUID, str | None, int | None]]
) -> list[UUID]:
    """Keep the runs, given as (id, key, limit), that may start, counting under the lock of their keys."""
    keys = sorted({key for _, key, _ in runs if key})
    if keys:
        locking = insert_or_touch(dialect_of(session), Limit.__table__, key="key", touch="key")
        await session.execute(locking, [{"key": key} for key in keys])
    counting = (
        select(Run.limit_key, func.count()).where(Run.limit_key.in_(keys), AT_WORK).group_by(Run.limit_key)
    )
    at_work = Counter(dict((await session.execute(counting)).all())) if keys else Counter()
    allowed = []
    for run_id, key, limit in runs:
        if key is None or at_work[key] < (limit or 1):
            at_work[key] += 1
            allowed.append(run_id)
    return allowed


async def is_held(
    session: AsyncSession, run_id: UUID, attempt: int, application: str, checkpoint: dict[str, Any] | None
) -> bool:
    """Tell whether this attempt still holds the run where it left it, and show by what name it goes on.

    A server that crashed, or a standby that took its place, may have forgotten the last batches.
    """
    query = _IS_HELD_BY_NAME.get(dialect_of(session), _IS_HELD)
    values = {"run_id": run_id, "held_attempt": attempt, "application": application}
    row = (await session.execute(query, values)).first()
    return row is not None and row.checkpoint == checkpoint


async def update_held(session: AsyncSession, run_id: UUID, attempt: int, values: dict[str, Any]) -> bool:
    """Change the run if this attempt still holds it; False means that the fence is closed."""
    return await _update(session, held(run_id, attempt), values) > 0


async def still_held(session: AsyncSession, pairs: Collection[Held], *, lock: bool = False) -> set[Held]:
    """Tell which attempts still hold their runs; with `lock`, they do until this transaction ends."""
    query = _ALL_HELD.with_for_update() if lock else _ALL_HELD
    return {(run_id, attempt) for run_id, attempt in await session.execute(query, {"pairs": list(pairs)})}


async def renew_leases(session: AsyncSession, pairs: Collection[Held], lease_seconds: float) -> None:
    """Let the attempts that still hold their runs keep them for another while.

    Locked rows are left alone: to wait for one while holding others could be a deadlock. Whoever has the lock
    is committing a batch or an end of the run, and a batch renews the lease itself.
    """
    rows = await session.execute(_ALL_HELD.with_for_update(skip_locked=True), {"pairs": list(pairs)})
    run_ids = [run_id for run_id, _ in rows]
    await _update(session, _runs.c.id.in_(run_ids), {"lease_until": now(lease_seconds)})


async def take_back_expired(session: AsyncSession, most_crashes: int) -> Sequence[Row[UUID, str]]:
    """Queue again every run whose worker let its lease run out; park it if that happened too often.

    What such a worker has left open ends, with its locks. Return the runs' ids and new states.
    """
    silent = (Run.state == State.RUNNING) & (Run.lease_until < now())
    names = [transaction_name(job, run_id) for run_id, job in await session.execute(_ID_JOB.where(silent))]
    if not names:
        return []
    await end_transactions(session, names)
    # A row that is still locked, perhaps by such a transaction, is taken back in the next round.
    expired = (await session.scalars(select(Run.id).where(silent).with_for_update(skip_locked=True))).all()
    parked = Run.crashes + 1 >= most_crashes
    error = f"its worker died {most_crashes} times without committing anything"
    # In this order: MySQL computes one value after the other, from what the ones before have left.
    taking_back = update(Run).ordered_values(
        (Run.state, case((parked, State.FAILED), else_=State.QUEUED)),
        (Run.error, case((parked, error), else_=Run.error)),
        (Run.finished_at, case((parked, now()), else_=None)),
        (Run.crashes, Run.crashes + 1),
        (Run.lease_until, None),
        (Run.worker, None),
    )
    await session.execute(
        taking_back.where(Run.id.in_(expired), silent).execution_options(synchronize_session=False)
    )
    return (await session.execute(select(Run.id, Run.state).where(Run.id.in_(expired)))).all()


async def _update(session: AsyncSession, which: ColumnElement[bool], values: dict[str, Any]) -> int:
    done = await session.execute(update(_runs).where(which).values(values))
    return int(done.rowcount)  # type: ignore[attr-defined]
