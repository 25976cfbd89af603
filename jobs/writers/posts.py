"""How posts get into their table, with their tags and the marks of their authors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.written import Written
from models.author_stats import mark_stale
from models.dialect import among, reserve_ids
from models.former_row import keep_former
from models.natural_key import lock_rows, stored_ids, stored_rows
from models.post import Post
from models.tag import ensure_tags, linked_tags, store_links
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord
    from jobs.writers.differences import Values
    from jobs.writers.writer import Writer
    from models.run_file import Origin

COLUMNS = (
    "author_id",
    "author_external_id",
    "author_name",
    "parent_id",
    "parent_external_id",
    "kind",
    "title",
    "content",
    "score",
    "word_count",
    "created_at",
    "missing_since",  # a record that came back is not missing any more
)
NO_TAGS: AbstractSet[int] = frozenset()


async def write_posts(
    writer: Writer, session: AsyncSession, origin: Origin, records: Sequence[PostRecord]
) -> Written:
    """Insert new posts, update changed ones, link tags, and mark every author whose figures change.

    Authors and parents that come later stay unlinked; the import links them when it ends. Locks are taken
    in the order of tags, posts and marks.
    """
    names = {name for record in records for name in record.tags}
    tags = await ensure_tags(session, names, origin.file_id)
    written = Written()
    stale: set[int | None] = set()
    for layer in layers(records):
        written += await _write(writer, session, origin, layer, tags, stale)
    await mark_stale(session, {author for author in stale if author is not None})
    return written


async def _write(
    writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[PostRecord],
    tags: Mapping[str, int],
    stale: set[int | None],
) -> Written:
    """Write posts of distinct external ids, and add the authors whose figures change to `stale`."""
    site = origin.site
    stored = await stored_rows(session, Post, site, [record.external_id for record in records], COLUMNS)
    known = {key: row_id for key, (row_id, _) in stored.items()}
    free = await _free_ids(session, records, known)
    links = await linked_tags(session, known.values())
    refer = await _References.of(session, site, records, known)
    found = Differences(origin.file_id, stored)
    tagged = {}
    for record in records:
        key, values = record.external_id, refer.values_of(record)
        wanted = {tags[name] for name in record.tags} if record.tags else NO_TAGS
        if found.put(record, values, changed=links.get(known.get(key, 0), NO_TAGS) != wanted):
            tagged[key] = wanted
            stale.add(values[0])
        if key in free:  # rows are inserted in this order, so only later ones can refer to it
            refer.parents[key] = free[key]
    changed = [known[key] for key in tagged if key in known]
    stale.update(author for _, author in await lock_rows(session, Post, changed, "author_id"))
    if changed:
        await keep_former(session, origin.root_id, Post, among(session, Post.id, changed))
    ids = known | await _put(writer, session, site, found, free)
    await store_links(session, links, {ids[key]: wanted for key, wanted in tagged.items()})
    return found.written


async def _free_ids(
    session: AsyncSession, records: Sequence[PostRecord], known: Collection[str]
) -> dict[str, int | None]:
    """Take primary keys for the records that have no row yet."""
    new = [record.external_id for record in records if record.external_id not in known]
    return dict(zip(new, await reserve_ids(session, Post.__table__, len(new)), strict=True))


@dataclass(slots=True)
class _References:
    """The primary keys of the users and posts that posts refer to, by their external ids."""

    authors: Mapping[str, int]
    parents: dict[str, int | None]

    @classmethod
    async def of(
        cls, session: AsyncSession, site: str, records: Sequence[PostRecord], known: Mapping[str, int]
    ) -> _References:
        """Look up those that exist; the posts that are `known` need not be looked up."""
        authors = {r.author_external_id for r in records if r.author_external_id}
        parents = {r.parent_external_id for r in records if r.parent_external_id} - known.keys()
        return cls(
            await stored_ids(session, User, site, authors),
            {**known, **await stored_ids(session, Post, site, parents)},
        )

    def values_of(self, r: PostRecord) -> Values:
        """Give the values of COLUMNS for a record."""
        return (
            self.authors.get(r.author_external_id or ""),
            r.author_external_id,
            r.author_name,
            self.parents.get(r.parent_external_id or ""),
            r.parent_external_id,
            r.kind,
            r.title,
            r.content,
            r.score,
            r.word_count,
            r.created_at,
            None,
        )


async def _put(
    writer: Writer, session: AsyncSession, site: str, found: Differences, free: Mapping[str, int | None]
) -> dict[str, int]:
    """Write what is new and what has changed; give the primary keys of the new rows."""
    inserted: dict[str, int] = {}
    if found.new:
        rows = found.new_rows(site, [free[key] for key in found.new])
        keys = await writer.insert(session, Post, KEY + COLUMNS + WHERE, rows)
        inserted = dict(zip(found.new, keys, strict=True))
    if found.changed:
        await writer.update(session, Post, ("id", *COLUMNS, *WHERE), found.changed_rows())
    return inserted
