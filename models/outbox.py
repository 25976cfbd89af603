"""Asking for runs inside the asker's transaction, once per unique key for as long as the key is taken."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, literal_column, select, update

from models.base import UtcDateTime
from models.clock import now
from models.dialect import MYSQL, dialect_of, insert_missing
from models.run import DEFAULT_QUEUE, FINISHED, Run, State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
    from sqlalchemy.sql.dml import Insert

ROWS_AT_ONCE = 1_000


class Unique(StrEnum):
    """For how long a unique key stays with its run; a timedelta counts from when the run was asked for."""

    ALWAYS = "always"
    UNTIL_FINISHED = "until_finished"
    UNTIL_STARTED = "until_started"


Scope = Unique | timedelta

# What a row may leave out, and what all new rows have in common.
OPTIONAL = ("unique_key", "parent_id", "part", "limit_key", "limit_count", "traceparent", "due")
FRESH = dict.fromkeys(("attempt", "failures", "crashes", "open_children", "bytes_done", "bytes_total"), 0)
_BLANK: dict[str, Any] = dict.fromkeys(OPTIONAL) | {"queue": DEFAULT_QUEUE}


@cache
def _insert(dialect: str) -> Insert:
    """Build the insert once: the common values are in its text, so that a row binds only its own."""
    common: dict[str, Any] = {name: literal_column(str(value)) for name, value in FRESH.items()}
    return insert_missing(dialect, Run.__table__).values(
        state=literal_column(f"'{State.QUEUED}'"),
        created_at=now(),
        run_at=func.coalesce(bindparam("due", type_=UtcDateTime()), now()),
        **common,
    )


async def add_run(connection: AsyncConnection, row: dict[str, Any]) -> UUID:
    """Write one queued run that has no unique key, with a single statement, and give its id."""
    ready = _BLANK | {"id": uuid4()} | _due(row)
    await connection.execute(_insert(dialect_of(connection)), ready)
    return cast("UUID", ready["id"])


async def add_runs(
    session: AsyncSession, rows: Sequence[dict[str, Any]], scope: Scope = Unique.ALWAYS
) -> list[UUID]:
    """Write queued runs in the caller's transaction and give their ids, in the same order.

    A row has at least `job` and `request`, and `run_at` if it is for later. Where its unique key is taken,
    the id is that of the run which has it. With `UNTIL_STARTED` that run cannot start before the caller's
    transaction ends: whatever the transaction wrote, the run will see.
    """
    ready = [_BLANK | {"id": uuid4()} | _due(row) for row in rows]
    holders: dict[str, UUID] = {}
    for start in range(0, len(ready), ROWS_AT_ONCE):
        holders |= await _add(session, ready[start : start + ROWS_AT_ONCE], scope)
    return [holders.get(row["unique_key"] or "", row["id"]) for row in ready]


def _due(row: dict[str, Any]) -> dict[str, Any]:
    return {"due" if name == "run_at" else name: value for name, value in row.items()}


async def _add(session: AsyncSession, rows: list[dict[str, Any]], scope: Scope) -> dict[str, UUID]:
    statement = _insert(dialect_of(session))
    keys = {row["unique_key"] for row in rows} - {None}
    if not keys:
        await session.execute(statement, rows)
        return {}
    while True:
        await _release(session, keys, scope)
        await session.execute(statement, rows)
        holders = await _holders(session, keys, scope)
        if holders.keys() == keys:
            return holders
        # A holder started between the two statements and its key is free again by now.


async def _release(session: AsyncSession, keys: Collection[str], scope: Scope) -> None:
    """Take the keys from runs that need them no longer."""
    if (over := _is_over(scope)) is None:
        return
    statement = update(Run).where(Run.unique_key.in_(keys), over).values(unique_key=None)
    await session.execute(statement.execution_options(synchronize_session=False))


def _is_over(scope: Scope) -> ColumnElement[bool] | None:
    match scope:
        case timedelta():
            return Run.created_at <= now(-scope.total_seconds())
        case Unique.UNTIL_FINISHED:
            return Run.state.in_(FINISHED)
        case Unique.UNTIL_STARTED:
            return Run.state != State.QUEUED
        case _:
            return None


async def _holders(session: AsyncSession, keys: Collection[str], scope: Scope) -> dict[str, UUID]:
    query = select(Run.unique_key, Run.id).where(Run.unique_key.in_(keys))
    if scope == Unique.UNTIL_STARTED:
        # Whoever claims leaves a locked row alone, so the run stays queued until this transaction ends.
        query = query.where(Run.state == State.QUEUED).with_for_update(read=True)
    elif dialect_of(session) in MYSQL:
        # An asker's transaction may be older than the run, and would see no more than its snapshot.
        query = query.with_for_update(read=True)
    return {key: run_id for key, run_id in await session.execute(query) if key}
