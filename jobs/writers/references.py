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


@dataclass(frozen=True, slots=True)
class References:
    """The primary keys of the users and posts that are referred to, by their external ids."""

    authors: Mapping[str, int]
    parents: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of those that posts mention: what was asked for, and what is remembered."""

    mentions: Mentions
    users: Mapping[str, int]
    posts: Mapping[str, int]
    remembered_users: Keys
    remembered_posts: Keys
    known: Mapping[str, int]

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        site: str,
        mentions: Mentions,
        known: Mapping[str, int],
        memory: Memory,
    ) -> Found:
        """Look up those that exist, but for what is remembered and for posts that are `known`."""
        users, posts = memory.users.as_of_now(), memory.posts.as_of_now()
        authors, parents = users.missing(mentions.authors), posts.missing(mentions.parents.difference(known))
        return cls(
            mentions,
            await stored_ids(session, User, site, authors),
            await stored_ids(session, Post, site, parents),
            users,
            posts,
            known,
        )

    def references(self) -> References:
        """Put them together; any thread may.

        Posts that are among those that mention them get their keys one after the other.
        """
        return References(
            {**self.remembered_users.among(self.mentions.authors), **self.users},
            {**self.known, **self.remembered_posts.among(self.mentions.parents), **self.posts},
        )
