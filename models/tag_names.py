"""The names of tags, remembered while the posts that bear them are read."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import select

from models.tag import NAMES_AT_ONCE, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

MOST_KNOWN = 100_000


class TagNames:
    """Gives names for ids; asks the session's database for those it does not know yet.

    Few tags are on most posts, so that a join would fetch the same names over and over.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._known: dict[int, str] = {}

    async def of(self, rows: Sequence[Sequence[int] | None]) -> list[list[str]]:
        """Give the names for the ids of each row, in the order of code points, which no database changes."""
        await self._learn(set(chain.from_iterable(ids for ids in rows if ids)))
        known = self._known
        return [sorted([known[tag_id] for tag_id in ids]) if ids else [] for ids in rows]

    async def _learn(self, wanted: set[int]) -> None:
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        missing = sorted(wanted - self._known.keys())
        for start in range(0, len(missing), NAMES_AT_ONCE):
            page = missing[start : start + NAMES_AT_ONCE]
            query = select(Tag.id, Tag.name).where(Tag.id.in_(page))
            self._known |= dict((await self._session.execute(query)).all())
