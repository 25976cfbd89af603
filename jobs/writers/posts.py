"""How posts get into their table, with their tags and the marks of their authors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from jobs.sources.record import PostRecord
from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.memory import Memory
from jobs.writers.references import References
from jobs.writers.users import write_authors
from jobs.writers.written import Written
from models.author_stats import mark_stale
from models.dialect import among, gives_keys_once
from models.former_row import keep_former
from models.natural_key import lock_rows, reserve_keys, stored_rows
from models.post import Post
from models.tag import ensure_tags, linked_tags, store_links
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.writers.writer import Writer
    from models.run_file import Origin

# The fields of a record that are columns of the same name; taken all at once, which is quicker than by name.
FIELDS = PostRecord.__struct_fields__
SAID = slice(FIELDS.index("created_at"), FIELDS.index("tags"))
COLUMNS = ("author_id", "parent_id", *FIELDS[SAID], "missing_since")
DERIVED = ("word_count",)
NO_TAGS: AbstractSet[int] = frozenset()


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
    authors = await write_authors(writer, session, origin, records)
    names = {name for record in records for name in record.tags}
    writing = _Writing(writer, session, origin, await ensure_tags(session, names, origin.file_id), memory)
    written = Written(authors=authors)
    for layer in layers(records):
        written += await writing.write(layer, expects_new=memory.expects_new and layer is records)
    await mark_stale(session, {author for author in writing.stale if author is not None})
    if gives_keys_once(session):
        memory.users.keep(writing.authors)
        memory.posts.keep(writing.posts)
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
        session, site = self.session, self.origin.site
        keys = [record.external_id for record in records]
        is_new = expects_new and self.memory.posts.has_none(keys)
        stored = {} if is_new else await stored_rows(session, Post, site, keys, COLUMNS)
        known = {key: row_id for key, (row_id, _) in stored.items()}
        found = Differences(
            self.origin,
            stored,
            await reserve_keys(session, Post, [key for key in keys if key not in known]),
            _derived,
        )
        refer = await References.of(session, site, records, known, self.memory)
        links = await linked_tags(session, known.values())
        tagged = self._compare(records, found, refer, {key: links.get(known[key], NO_TAGS) for key in known})
        stale = await lock_rows(session, Post, found.changed, "author_id")
        self.stale.update(author for _, author in stale)
        if found.changed:
            await keep_former(session, self.origin.root_id, Post, among(session, Post.id, found.changed))
        ids = known | await self._put(found)
        await store_links(session, links, {ids[key]: wanted for key, wanted in tagged.items()})
        self.authors.update(refer.authors)
        self.posts.update(ids)
        return found.written

    def _compare(
        self,
        records: Sequence[PostRecord],
        found: Differences,
        refer: References,
        before: Mapping[str, AbstractSet[int]],
    ) -> dict[str, AbstractSet[int]]:
        """Put the records beside their rows; give the tags, by external id, of those that have others now."""
        tags, free, stale, parents = self.tags, found.free, self.stale, refer.parents
        author_of, parent_of, put = refer.authors.get, parents.get, found.put
        tagged: dict[str, AbstractSet[int]] = {}
        for record in records:
            key, author = record.external_id, author_of(record.author_external_id or "")
            parent = parent_of(record.parent_external_id or "")
            # A record that came back is not missing any more: the last of COLUMNS.
            values = (author, parent, *astuple(record)[SAID], None)
            wanted = {tags[name] for name in record.tags} if record.tags else NO_TAGS
            if is_tagged := wanted != before.get(key, NO_TAGS):
                tagged[key] = wanted
            if put(record, values, changed=is_tagged):
                stale.add(author)
            if key in free:  # rows are inserted in this order, so only later ones can refer to it
                parents[key] = free[key]
        return tagged

    async def _put(self, found: Differences) -> dict[str, int]:
        """Write what is new and what has changed; give the primary keys of the new rows."""
        inserted: dict[str, int] = {}
        if found.new:
            keys = await self.writer.insert(self.session, Post, KEY + COLUMNS + DERIVED + WHERE, found.new)
            inserted = dict(zip([row[2] for row in found.new], keys, strict=True))
        if found.changed:
            columns = ("id", *COLUMNS, *DERIVED, *WHERE)
            await self.writer.update(self.session, Post, columns, found.changed_rows())
        return inserted


def _derived(record: PostRecord) -> tuple[int]:
    """Give the values of DERIVED: words are counted only of what is written."""
    return (word_count(record.content),)
