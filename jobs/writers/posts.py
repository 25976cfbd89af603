"""How posts get into their table, with their tags and the marks of their authors."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.memory import Memory
from jobs.writers.references import References
from jobs.writers.users import write_authors
from jobs.writers.written import Written
from models.author_stats import mark_stale
from models.dialect import among, gives_keys_once
from models.former_row import keep_former
from models.natural_key import lock_rows, reserve_keys
from models.post import UNLINKED_AUTHOR, UNLINKED_PARENT, Post
from models.tag import ensure_tags, linked_tags, store_links, tags_of
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord
    from jobs.writers.differences import Values
    from jobs.writers.writer import Writer
    from models.run_file import Origin

# The fields of a record that are columns of the same name.
SAID = (
    *("created_at", "author_external_id", "author_name", "parent_external_id"),
    *("kind", "title", "content", "score"),
)
said_by = attrgetter(*SAID)
COLUMNS = ("author_id", "parent_id", *SAID, "missing_since")
WRITTEN = (*COLUMNS, "word_count", *WHERE)
COMPARED = (
    *[Post.__table__.c[name] for name in (*SAID, "missing_since")],
    *(UNLINKED_AUTHOR, UNLINKED_PARENT, tags_of(Post.id)),
)
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
        is_new = expects_new and self.memory.posts.has_none([record.external_id for record in records])
        found = Differences() if is_new else await self._differences(records)
        left = found.left(records)
        refer = await References.of(self.session, self.origin.site, left, found.known, self.memory)
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
        tagged |= {ids[r.external_id]: self._tags_of(r) for r in new if r.tags}
        await store_links(self.session, links, tagged)
        self.authors.update(refer.authors)
        self.posts.update(found.known, **ids)
        return found.written(len(new))

    async def _differences(self, records: Sequence[PostRecord]) -> Differences:
        """Find the rows of records that may not say the same, or still wait for their author or parent."""
        said = {
            r.external_id: (*said_by(r), None, False, False, sorted(self._tags_of(r)) or None)
            for r in records
        }
        return Differences(
            *await self.writer.compare(self.session, Post, self.origin.site, COLUMNS, COMPARED, said)
        )

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
            wanted = self._tags_of(record)
            if is_tagged := wanted != links.get(row_id, NO_TAGS):
                tagged[row_id] = wanted
            if is_tagged or values != before:
                found.changed[row_id] = (*values, *self._more(record))
                self.stale.add(author)
        return tagged

    async def _insert(
        self, records: Sequence[PostRecord], refer: References, keys: Mapping[str, int | None]
    ) -> dict[str, int]:
        """Insert the rows of records in their order; give their primary keys."""
        rows = []
        authors, parents = refer.authors, refer.parents
        for r, key in zip(records, keys.values(), strict=True):
            above = r.parent_external_id or ""
            if (parent := parents.get(above)) is None and key is not None:
                parent = keys.get(above)
                parent = parent if parent is not None and parent < key else None
            author = authors.get(r.author_external_id or "")
            values = (author, parent, *said_by(r), None, *self._more(r))
            rows.append((key, self.origin.site, r.external_id, *values))
            self.stale.add(author)
        if not rows:
            return {}
        inserted = await self.writer.insert(self.session, Post, (*KEY, *WRITTEN), rows)
        return dict(zip(keys, inserted, strict=True))

    def _more(self, record: PostRecord) -> Values:
        """Give the values that are written and not compared: words are counted only here."""
        return word_count(record.content), self.origin.file_id, record.offset, record.repairs

    def _tags_of(self, record: PostRecord) -> AbstractSet[int]:
        return {self.tags[name] for name in record.tags} if record.tags else NO_TAGS
