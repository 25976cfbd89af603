"""The users and posts that posts refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.natural_key import stored_ids
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord
    from jobs.writers.memory import Keys, Memory
    from models.natural_key import Keyed


@dataclass(frozen=True, slots=True)
class References:
    """The primary keys of the users and posts that are referred to, by their external ids."""

    authors: Mapping[str, int]
    parents: dict[str, int | None]

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        site: str,
        records: Sequence[PostRecord],
        known: Mapping[str, int],
        memory: Memory,
    ) -> References:
        """Look up those that exist, but for what is remembered and for posts that are among the records.

        Of these, those that are `known` have a key already; the others get theirs one after the other.
        """
        authors = {r.author_external_id for r in records if r.author_external_id}
        own = {r.external_id for r in records}
        parents = {r.parent_external_id for r in records if r.parent_external_id} - own
        return cls(
            await _ids(session, User, site, authors, memory.users),
            {**known, **await _ids(session, Post, site, parents, memory.posts)},
        )


async def _ids(
    session: AsyncSession, model: Keyed, site: str, external_ids: set[str], remembered: Keys
) -> dict[str, int]:
    found = remembered.among(external_ids)
    return found | await stored_ids(session, model, site, external_ids - found.keys())
