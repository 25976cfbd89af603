"""The users and posts that posts refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.natural_key import stored_ids
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.mentions import Mentions
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
        mentions: Mentions,
        known: Mapping[str, int],
        memory: Memory,
    ) -> References:
        """Look up those that exist, but for what is remembered and for posts that are `known`.

        Posts that are among those that mention them get their keys one after the other.
        """
        parents = mentions.parents - known.keys()
        return cls(
            await _ids(session, User, site, mentions.authors, memory.users),
            {**known, **await _ids(session, Post, site, parents, memory.posts)},
        )


async def _ids(
    session: AsyncSession, model: Keyed, site: str, external_ids: set[str], remembered: Keys
) -> dict[str, int]:
    found = remembered.among(external_ids)
    return found | await stored_ids(session, model, site, external_ids - found.keys())
