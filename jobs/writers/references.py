"""The users and posts that posts refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

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
class Mentions:
    """The external ids and the names of tags that posts mention; whoever reads ahead can find them out."""

    ids: list[str]
    tags: set[str]
    authors: set[str]
    parents: set[str]
    """Those that are not among the posts."""
    carry_authors: bool

    @classmethod
    def of(cls, records: Sequence[PostRecord]) -> Self:
        """Go through posts."""
        ids = [r.external_id for r in records]
        return cls(
            ids,
            {name for r in records for name in r.tags},
            {r.author_external_id for r in records if r.author_external_id},
            {r.parent_external_id for r in records if r.parent_external_id}.difference(ids),
            any(r.author for r in records),
        )


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
