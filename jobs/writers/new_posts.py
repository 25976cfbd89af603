"""New posts that are made ready to be sent, mostly while the batch before them is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from jobs.writers.post_rows import INSERTED, authors_of, new_rows, tags_in
from jobs.writers.references import References
from models.natural_key import reserve_keys
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
    """What is sent of new posts and of their tags, what they refer to, and whose figures they change."""

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
    refer: References
    keys: Mapping[str, int]
    tags: Mapping[str, int]

    def made_ready(self, prepare: Prepare) -> NewPosts:
        """Make rows and links and encode them, in whichever thread."""
        rows = new_rows(self.origin, self.records, self.refer, self.keys)
        links = [
            (key, tag)
            for key, record in zip(self.keys.values(), self.records, strict=True)
            for tag in tags_in(record, self.tags)
        ]
        return NewPosts(
            self.keys,
            self.refer.authors,
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

    Give None if there is more to do than to insert them: if one of them was met already or comes twice, one
    carries its author, or has a tag that is not there.
    """
    ids = mentions.ids
    is_plain = before.keys().isdisjoint(ids) and memory.posts.has_none(ids) and not mentions.carry_authors
    if not is_plain or len(set(ids)) < len(ids):
        return None
    tags = await tag_ids(session, mentions.tags)
    if len(tags) < len(mentions.tags):
        return None
    refer = await References.of(session, origin.site, mentions, before, memory)
    reserved = await reserve_keys(session, Post, ids)
    keys = {key: row_id for key, row_id in reserved.items() if row_id is not None}
    return LookedUp(origin, records, refer, keys, tags) if len(keys) == len(ids) else None
