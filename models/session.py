"""Sessions that know what they were opened for, and for whom."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine, async_scoped_session

READ_ONLY = "read_only"
"""The execution option of engines whose transactions may not write."""
TAG = "tag"
"""The execution option that names the run a statement belongs to."""


class ReadOnlySessionError(InvalidRequestError):
    """A session that was opened for reading was asked to write."""


class RoutedSession(Session):
    """Sends its statements to the replica it was given, else to the primary; a reading one cannot write.

    `tag` names the run it works for, to databases that are told so in the text of statements.
    """

    def __init__(self, bind: Engine, *, tag: str | None = None, **options: Any) -> None:
        super().__init__(_marked(bind, tag), **options)
        self._tag = tag
        self._replica: Engine | None = None

    @property
    def is_on_replica(self) -> bool:
        """Whether it was moved to a replica."""
        return self._replica is not None

    def move(self, replica: Engine | None) -> None:
        """Go to a replica, or back to the primary, from the next transaction on."""
        self._replica = _marked(replica, self._tag) if replica else None

    def get_bind(self, *arguments: Any, clause: Any = None, **hints: Any) -> Engine | Connection:
        """Choose the engine for a statement.

        Raises:
            ReadOnlySessionError: it writes, or a flush does, and the session is for reading.

        """
        bind = self._replica or super().get_bind(*arguments, clause=clause, **hints)
        if bind.get_execution_options().get(READ_ONLY) and (self._flushing or isinstance(clause, UpdateBase)):
            raise ReadOnlySessionError("a reading session cannot write; open one with Database.writing")
        return bind


def _marked(engine: Engine, tag: str | None) -> Engine:
    is_told_in_text = tag and engine.dialect.name in {"mysql", "mariadb"}
    return engine.execution_options(**{TAG: tag}) if is_told_in_text else engine


class DatabaseSession(AsyncSession):
    """The session of `Database.writing` and `Database.reading`."""

    sync_session_class: type[Session] = RoutedSession


def move(session: AsyncSession, replica: AsyncEngine | None) -> None:
    """Let a session of ours go to a replica, or back to the primary, from its next transaction on."""
    cast("RoutedSession", session.sync_session).move(replica.sync_engine if replica else None)


def is_on_replica(session: AsyncSession) -> bool:
    """Tell whether a replica answers a session of ours."""
    return cast("RoutedSession", session.sync_session).is_on_replica


@asynccontextmanager
async def task_scope(sessions: async_scoped_session[AsyncSession]) -> AsyncIterator[None]:
    """Give the current task one session and transaction, wherever below it calls `sessions()`.

    It commits at the end, or rolls back if the block fails or is cancelled. In either case the session is
    closed to its end and the registry forgets the task: it would keep both for ever.
    """
    try:
        async with sessions() as session, session.begin():
            yield
    finally:
        await sessions.remove()
