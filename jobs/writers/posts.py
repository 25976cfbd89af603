"""How posts get into their table, with their tags and the marks of their authors."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from jobs.mentions import Mentions
from jobs.writers.differences import Differences, layers
from jobs.writers.memory import Memory
from jobs.writers.new_posts import look_up
from jobs.writers.post_rows import (
    INSERTED,
    LIKENESS,
    NO_TAGS,
    WRITTEN,
    authors_of,
    lines_of,
    more_of,
    new_rows,
    said_by,
    tags_in,
)
from jobs.writers.references import Found
from jobs.writers.users import write_authors
from jobs.writers.written import Written
from models.author_stats import mark_stale
from models.dialect import among, gives_keys_once
from models.former_row import keep_former
from models.natural_key import lock_rows, reserve_keys
from models.post import Post
from models.tag import ensure_tags, linked_tags, store_links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord
    from jobs.writers.new_posts import NewPosts
    from jobs.writers.references import References
    from jobs.writers.writer import Writer
    from models.run_file import Origin


async def write_posts(
    writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[PostRecord],
    memory: Memory | None = None,
) -> Written:
    """Insert new posts, update changed ones, link tags, and mark every author whose figures change.

    Authors that they carry are written before. Authors and parents that come later stay unlinked; the import
    links them when it ends. Locks are taken in the order of users, tags, posts and marks.
    """
    memory = memory or Memory()
    if memory.expects_new and (new := await _made_ready(writer, session, origin, records, memory)):
        return await _write_new(writer, session, origin, records, new, memory)
    authors = await write_authors(writer, session, origin, records)
    names = {name for record in records for name in record.tags}
    writing = _Writing(writer, session, origin, await ensure_tags(session, names, origin.file_id), memory)
    written = Written(authors=authors)
    for layer in layers(records):
        written += await writing.write(layer, expects_new=bool(memory.expects_new) and layer is records)
    await mark_stale(session, {author for author in writing.stale if author is not None})
    if gives_keys_once(session):
        memory.users.keep(writing.authors)
        memory.posts.keep(writing.posts)
        memory.tags.keep(writing.tags)
    memory.learn(written, records)
    return written


async def _made_ready(
    writer: Writer, session: AsyncSession, origin: Origin, records: Sequence[PostRecord], memory: Memory
) -> NewPosts | None:
    """Give posts ready to be sent, if it is possible to make them so without inserting anything else."""
    if not writer.prepare:
        return None
    if ready := memory.ready_for(records):
        return await ready
    found = await look_up(session, origin, records, Mentions.of(records), memory, {})
    return found.made_ready(writer.prepare) if found else None


async def _write_new(
    writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[PostRecord],
    new: NewPosts,
    memory: Memory,
) -> Written:
    """Send new posts; meanwhile those that come next are made ready, as far as they are new, too.

    What these need is asked for in this transaction: it sees whatever was there before, and of the posts that
    it sends itself the keys are known.
    """
    if (upcoming := memory.upcoming_after(records)) and upcoming.mentions and writer.prepare:
        theirs = cast("Sequence[PostRecord]", upcoming.records)
        found = await look_up(session, origin, theirs, upcoming.mentions, memory, new.keys)
        if found:
            memory.make_ready(upcoming, partial(found.made_ready, writer.prepare))
    await writer.send(session, new.posts)
    if new.links:
        await writer.send(session, new.links)
    await mark_stale(session, new.stale)
    memory.users.keep(new.authors)
    memory.posts.keep(new.keys)
    written = Written(inserted=len(records))
    memory.learn(written, records)
    return written


@dataclass(frozen=True, slots=True)
class _Writing:
    """The posts of one batch on their way: the authors whose figures change, and the keys that were met."""

    writer: Writer
    session: AsyncSession
    origin: Origin
    tags: Mapping[str, int]
    memory: Memory
    stale: set[int | None] = field(default_factory=set)
    authors: dict[str, int] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)

    async def write(self, records: Sequence[PostRecord], *, expects_new: bool) -> Written:
        """Write posts of distinct external ids."""
        is_new = expects_new and self.memory.posts.has_none([record.external_id for record in records])
        found = Differences() if is_new else await self._differences(records)
        left = found.left(records)
        mentions = Mentions.of(left)
        known = await Found.of(self.session, self.origin.site, mentions, found.known, self.memory)
        refer = known.references()
        new = found.new(left)
        keys = await reserve_keys(self.session, Post, [record.external_id for record in new])
        links = await linked_tags(self.session, found.known.values())
        tagged = self._compare(left, found, refer, keys, links) if found.stored else {}
        stale = await lock_rows(self.session, Post, found.changed, "author_id")
        self.stale.update(author for _, author in stale)
        if found.changed:
            changed = among(self.session, Post.id, found.changed)
            await keep_former(self.session, self.origin.root_id, Post, changed)
        ids = await self._insert(new, refer, keys)
        if found.changed:
            await self.writer.update(self.session, Post, ("id", *WRITTEN), found.changed_rows())
        tagged |= {ids[r.external_id]: tags_in(r, self.tags) for r in new if r.tags}
        await store_links(self.session, links, tagged)
        self.authors.update(refer.authors)
        self.posts.update(found.known, **ids)
        return found.written(len(new))

    async def _differences(self, records: Sequence[PostRecord]) -> Differences:
        """Find the rows of records that may not say the same, or still wait for their author or parent."""
        keys = [r.external_id for r in records]
        lines = self.memory.lines_of(records) or partial(lines_of, records, self.tags)
        return Differences(*await self.writer.compare(self.session, LIKENESS, self.origin.site, keys, lines))

    def _compare(
        self,
        records: Sequence[PostRecord],
        found: Differences,
        refer: References,
        keys: Mapping[str, int | None],
        links: Mapping[int, AbstractSet[int]],
    ) -> dict[int, AbstractSet[int]]:
        """Put the records beside the rows that were read; give the tags of those that have others now.

        New rows are inserted in the order of their records, so that only later records can refer to them.
        """
        parents = dict(refer.parents)
        tagged: dict[int, AbstractSet[int]] = {}
        for record in records:
            if record.external_id not in found.stored:
                parents[record.external_id] = keys[record.external_id]
                continue
            row_id, before = found.stored[record.external_id]
            author = refer.authors.get(record.author_external_id or "")
            # A record that came back is not missing any more: the last of COLUMNS.
            values = (author, parents.get(record.parent_external_id or ""), *said_by(record), None)
            wanted = tags_in(record, self.tags)
            if is_tagged := wanted != links.get(row_id, NO_TAGS):
                tagged[row_id] = wanted
            if is_tagged or values != before:
                found.changed[row_id] = (*values, *more_of(self.origin, record))
                self.stale.add(author)
        return tagged

    async def _insert(
        self, records: Sequence[PostRecord], refer: References, keys: Mapping[str, int | None]
    ) -> dict[str, int]:
        """Insert the rows of records in their order; give their primary keys."""
        rows = new_rows(self.origin, records, refer, keys)
        if not rows:
            return {}
        self.stale.update(authors_of(rows))
        inserted = await self.writer.insert(self.session, Post, INSERTED, rows)
        return dict(zip(keys, inserted, strict=True))
