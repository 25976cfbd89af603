"""The replica: taken for a reading session if it answers, left alone while it does not."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from models.pgbouncer import committing
from models.replication import follows, replayed, says_how_far, written
from models.session import move

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

logger = logging.getLogger("headrace.database")

ANSWER_SECONDS = 3.0
REST_SECONDS = 10.0
"""How long a replica that did not answer is left alone."""
FRESH_SECONDS = 1.0
"""How long a reader that needs the newest waits for the replica before it goes to the primary."""
LOOK_EVERY_SECONDS = 0.01


@dataclass(slots=True)
class Replica:
    """The replica's engine, read-only and in one snapshot, and what was last seen of it.

    `primary` commits each statement by itself where the database can do so.
    """

    engine: AsyncEngine
    primary: AsyncEngine
    _away_until: float = 0.0
    _troubles: set[str] = field(default_factory=set)

    async def take(self, session: AsyncSession, *, fresh: bool) -> None:
        """Move a session that was just opened to the replica, if it answers; `fresh`: if it is not behind."""
        if not self._may_be_tried():
            return
        position = await self._written() if fresh else 0  # what is not fresh waits for nothing
        if position is None:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if not await self._has_replayed(position):
                    return
                move(session, self.engine)
                if not await follows(session):
                    raise ConnectionError("it is no replica")
        except (OSError, SQLAlchemyError) as error:
            await session.rollback()
            move(session, None)
            self.lost(error)
        else:
            self._recovered("away")

    def lost(self, error: Exception) -> None:
        """Leave the replica alone for a while."""
        self._away_until = time.monotonic() + REST_SECONDS
        if "away" not in self._troubles:
            logger.warning("replica.away", extra={"error": str(error) or type(error).__name__})
            self._troubles.add("away")

    def _may_be_tried(self) -> bool:
        """Tell whether to ask the replica; after it was away one reader does, and no other waits for it."""
        now = time.monotonic()
        if now < self._away_until:
            return False
        if "away" in self._troubles:
            self._away_until = now + REST_SECONDS
        return True

    async def _written(self) -> int | None:
        """Ask the primary how far it has written; None if it cannot say so."""
        async with self.primary.connect() as connection:
            return await written(connection) if says_how_far(connection) else None

    async def _has_replayed(self, position: int) -> bool:
        """Wait until the replica shows everything up to a position; False if that takes long."""
        if not position:
            return True
        until = time.monotonic() + FRESH_SECONDS
        asking = committing(self.engine) or self.engine
        async with asking.connect() as connection:
            while await replayed(connection) < position:
                if time.monotonic() > until:
                    self._is_late()
                    return False
                await asyncio.sleep(LOOK_EVERY_SECONDS)  # before version 19 the server cannot be waited for
        self._recovered("late")
        return True

    def _is_late(self) -> None:
        if "late" not in self._troubles:
            logger.warning("replica.late", extra={"seconds": FRESH_SECONDS})
            self._troubles.add("late")

    def _recovered(self, trouble: str) -> None:
        if trouble in self._troubles:
            logger.info("replica.back", extra={"after": trouble})
            self._troubles.remove(trouble)
            self._away_until = 0.0
