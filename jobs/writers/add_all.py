"""The writer for every database: ORM objects, compared with what is stored, new ones by `add_all`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import select

from jobs.writers.written import Written
from models.author_stats import mark_stale
from models.dialect import reserve_ids
from models.post import Post, lock_authors_of, post_ids
from models.tag import add_tags, ensure_tags, linked_tags, store_links, tag_ids
from models.user import User, user_ids
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord, TagRecord, UserRecord

Row = TypeVar("Row", User, Post)


class Merge(Generic[Row]):
    """Holds records against the stored rows of one table, by external id, and counts what it finds."""

    def __init__(
        self, model: type[Row], site: str, rows: dict[str, Row], free_ids: Sequence[int | None]
    ) -> None:
        self.model: type[Row] = model
        self.site = site
        self.rows: dict[str, Row] = rows
        self.free_ids = iter(free_ids)
        self.stored = frozenset(rows)
        self.new: list[Row] = []
        self.changed: set[int] = set()
        self.written = Written()

    @classmethod
    async def of(cls, session: AsyncSession, model: type[Row], site: str, keys: Iterable[str]) -> Merge[Row]:
        """Load the rows of a site that have one of these external ids, and take keys for the others."""
        wanted = set(keys)
        query = select(model).where(model.site == site, model.external_id.in_(wanted))
        rows = {row.external_id: row for row in await session.scalars(query)}
        free_ids = await reserve_ids(session, model.__table__, len(wanted) - len(rows))
        return cls(model, site, rows, free_ids)

    def put(self, key: str, values: Mapping[str, Any], *, changed: bool = False) -> bool:
        """Take one record's values; False means that the row has them already."""
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = self.model(site=self.site, external_id=key, **values)
            row_id = next(self.free_ids)
            if row_id is not None:
                row.id = row_id
            self.new.append(row)
            self.written.inserted += 1
            return True
        different = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name, value in different.items():
            setattr(row, name, value)
        if different or changed:
            if key in self.stored:
                self.changed.add(row.id)
            self.written.updated += 1
            return True
        self.written.unchanged += 1
        return False

    async def flush(self, session: AsyncSession) -> None:
        """Write the changes, and the new rows in the order of their records: one pipelined insert."""
        session.add_all(self.new)
        await session.flush()


async def write_users(session: AsyncSession, site: str, records: Sequence[UserRecord]) -> Written:
    """Insert new users, update changed ones, leave the others alone."""
    merge = await Merge.of(session, User, site, (record.external_id for record in records))
    for record in records:
        values = {
            "name": record.name,
            "email": record.email,
            "reputation": record.reputation,
            "created_at": record.created_at,
        }
        merge.put(record.external_id, values)
    await merge.flush(session)
    return merge.written


async def write_tags(session: AsyncSession, _site: str, records: Sequence[TagRecord]) -> Written:
    """Insert the tags that are not there; a tag is its name, so there is nothing to update."""
    names = {record.name for record in records}
    missing = names - (await tag_ids(session, names)).keys()
    await add_tags(session, missing)
    return Written(inserted=len(missing), unchanged=len(records) - len(missing))


async def write_posts(session: AsyncSession, site: str, records: Sequence[PostRecord]) -> Written:
    """Insert new posts, update changed ones, link tags, and mark every author whose figures change.

    Authors and parents that come later stay unlinked; the import links them when it ends.
    """
    authors = await user_ids(session, site, {r.author_external_id for r in records if r.author_external_id})
    parents = await post_ids(session, site, {r.parent_external_id for r in records if r.parent_external_id})
    tags = await ensure_tags(session, {tag for record in records for tag in record.tags})
    merge = await Merge.of(session, Post, site, (record.external_id for record in records))
    links = await linked_tags(session, [post.id for post in merge.rows.values()])
    tagged = {key: links.get(post.id, set()) for key, post in merge.rows.items()}
    stale: set[int | None] = set()
    for record in records:
        wanted = {tags[tag] for tag in record.tags}
        retagged = tagged.get(record.external_id) != wanted
        tagged[record.external_id] = wanted
        values = _post_values(record, authors, parents)
        if merge.put(record.external_id, values, changed=retagged):
            stale.add(values["author_id"])
        parents[record.external_id] = merge.rows[record.external_id].id
    stale |= await lock_authors_of(session, merge.changed)
    await merge.flush(session)
    await store_links(session, links, {merge.rows[key].id: wanted for key, wanted in tagged.items()})
    await mark_stale(session, {author for author in stale if author is not None})
    return merge.written


def _post_values(
    record: PostRecord, authors: Mapping[str, int], parents: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "author_id": authors.get(record.author_external_id or ""),
        "author_external_id": record.author_external_id,
        "author_name": record.author_name,
        "parent_id": parents.get(record.parent_external_id or ""),
        "parent_external_id": record.parent_external_id,
        "kind": record.kind,
        "title": record.title,
        "content": record.content,
        "score": record.score,
        "word_count": word_count(record.content),
        "created_at": record.created_at,
    }
