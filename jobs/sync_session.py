"""Asking for jobs in the transaction of a service whose SQLAlchemy is not asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jobs.client import after_one_another, row_of
from models.outbox import Unique, add_runs

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Engine, Result
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from jobs.request_values import QueueName
    from jobs.requests import Request
    from models.outbox import Scope


def enqueue_in(
    session: Session,
    request: Request,
    *,
    unique_key: str | None = None,
    unique: Scope = Unique.ALWAYS,
    run_at: datetime | None = None,
    queue: QueueName | None = None,
) -> UUID:
    """Write a run in the caller's transaction and return its id, as `JobClient.enqueue` does.

    No bell rings: a worker's dispatcher finds the run within a second of the commit.
    """
    row = row_of(request, queue) | {"unique_key": unique_key, "run_at": run_at}
    adding = add_runs(cast("AsyncSession", _Prompt(session)), [after_one_another(row, unique)], unique)
    try:
        adding.send(None)
    except StopIteration as done:
        return cast("UUID", done.value[0])
    raise RuntimeError("a session that is not asynchronous made somebody wait")


class _Prompt:
    """Stands for an AsyncSession, with answers that are there when they are awaited."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_bind(self) -> Engine | Connection:
        return self._session.get_bind()

    async def execute(self, *statement: Any) -> Result[Any]:
        return self._session.execute(*statement)
