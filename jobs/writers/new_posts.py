"""New posts that are made ready to be sent, mostly while the batch before them is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from jobs.writers.post_rows import INSERTED, authors_of, new_rows, tags_in
from jobs.writers.references import Found
from models.dialect import reserve_ids
from models.post import Post
from models.tag import post_tags, tag_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.mentions import Mentions
    from jobs.sources.record import PostRecord
    from jobs.writers.memory import Memory
    from jobs.writers.writer import Prepare
    from models.copying import Copy
    from models.run_file import Origin


@dataclass(frozen=True, slots=True)
class NewPosts:
    """What is sent of new posts and of their tags, and whose figures they change.

    Also the keys that the next batches need not ask for: those of the posts, and of the authors looked up.
    """

    keys: Mapping[str, int]
    authors: Mapping[str, int]
    stale: AbstractSet[int]
    posts: Copy
    links: Copy | None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What new posts need of the database, before anybody makes them ready: this no database does."""

    origin: Origin
    records: Sequence[PostRecord]
    found: Found
    ids: Sequence[int]
    tags: Mapping[str, int]

    def made_ready(self, prepare: Prepare) -> NewPosts | None:
        """Make rows and links and encode them, in whichever thread; None if a post was met already."""
        mentions, found = self.found.mentions, self.found
        if not (
            found.known.keys().isdisjoint(mentions.ids) and found.remembered_posts.has_none(mentions.ids)
        ):
            return None
        keys = dict(zip(mentions.ids, self.ids, strict=True))
        rows = new_rows(self.origin, self.records, found.references(), keys)
        links = [
            (key, tag)
            for key, record in zip(self.ids, self.records, strict=True)
            for tag in tags_in(record, self.tags)
        ]
        return NewPosts(
            keys,
            found.users,
            authors_of(rows),
            prepare(cast("Table", Post.__table__), INSERTED, rows),
            prepare(post_tags, ("post_id", "tag_id"), links) if links else None,
        )


async def look_up(
    session: AsyncSession,
    origin: Origin,
    records: Sequence[PostRecord],
    mentions: Mentions,
    memory: Memory,
    before: Mapping[str, int],
) -> LookedUp | None:
    """Ask the database for what posts need that are expected to be new, and `before` them others.

    While it is asked nothing else goes on: what takes long is left to whoever makes the posts ready. Give
    None if there is more to do than to insert them: if one comes twice, carries its author, or has a tag that
    is not there.
    """
    if not mentions.are_distinct or mentions.carry_authors:
        return None
    tags = memory.tags.among(mentions.tags)
    if unknown := mentions.tags.difference(tags):
        tags |= await tag_ids(session, unknown)
        if len(tags) < len(mentions.tags):
            return None
        memory.tags.keep(tags)
    found = await Found.of(session, origin.site, mentions, before, memory)
    ids = await reserve_ids(session, Post.__table__, len(records))
    given = [one for one in ids if one is not None]
    return LookedUp(origin, records, found, given, tags) if len(given) == len(ids) else None
