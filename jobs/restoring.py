"""Putting rows back as they were before a run: those that it changed, and those that it deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from models.author_stats import mark_stale
from models.dialect import free_keys, reserve_ids
from models.natural_key import lock_rows, stored_rows
from models.post import Post
from models.row_document import TAGS, values_of
from models.tag import add_again, ensure_tags, linked_tags, store_links
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.context import Batch
    from jobs.writers.writer import Writer
    from models.former_row import FormerRow
    from models.natural_key import Keyed

    Values = Mapping[str, dict[str, Any]]
    """The values of rows by external id."""


@dataclass(frozen=True, slots=True)
class Restoring:
    """Puts pages of former rows of a site back, in the transaction of a batch."""

    batch: Batch
    writer: Writer
    site: str

    @property
    def _session(self) -> AsyncSession:
        return self.batch.session

    async def tags(self, former: Sequence[FormerRow]) -> None:
        """Insert tags that a run has deleted, unless somebody has since."""
        rows = [(one.row_id, one.row["name"], one.row["file_id"]) for one in former]
        inserted = await add_again(self._session, rows)
        self.batch.count("tags", records_read=len(rows), inserted=inserted, unchanged=len(rows) - inserted)

    async def users(self, former: Sequence[FormerRow]) -> None:
        """Put users back; posts that wait for them are linked when all is there."""
        values = {one.external_id: values_of(one.row, _table(User)) for one in former}
        await self._put_back(User, await self._ids(User, values), former, values)

    async def posts(self, former: Sequence[FormerRow]) -> None:
        """Put posts back with their tags, and mark those who are or were their authors.

        Locks are taken in the order of tags, posts and marks, as an import does.
        """
        tags = await ensure_tags(self._session, {name for one in former for name in one.row[TAGS] or ()})
        values = await self._linked(former)
        ids = await self._ids(Post, values)
        stale = {author for _, author in await lock_rows(self._session, Post, ids.values(), "author_id")}
        links = await linked_tags(self._session, ids.values())
        ids |= await self._put_back(Post, ids, former, values)
        wanted = {ids[one.external_id]: {tags[name] for name in one.row[TAGS] or ()} for one in former}
        await store_links(self._session, links, wanted)
        stale |= {row["author_id"] for row in values.values()}
        await mark_stale(self._session, {author for author in stale if author is not None})

    async def _linked(self, former: Sequence[FormerRow]) -> Values:
        """Give the values of posts, with authors and parents that are there; the others are linked later."""
        authors = {one.row["author_external_id"] for one in former} - {None}
        parents = {one.row["parent_external_id"] for one in former} - {None}
        users, above = await self._ids(User, authors), await self._ids(Post, parents)
        return {
            one.external_id: {
                **values_of(one.row, _table(Post)),
                "author_id": users.get(one.row["author_external_id"]),
                "parent_id": above.get(one.row["parent_external_id"]),
            }
            for one in former
        }

    async def _ids(self, model: Keyed, external_ids: Any) -> dict[str, int]:
        rows = await stored_rows(self._session, model, self.site, external_ids, ())
        return {key: row_id for key, (row_id, _) in rows.items()}

    async def _put_back(
        self, model: Keyed, ids: Mapping[str, int], former: Sequence[FormerRow], values: Values
    ) -> dict[str, int]:
        """Update the rows that have `ids` and insert the others; give the keys of these."""
        columns = ("id", *next(iter(values.values())))
        if ids:
            rows = sorted(((row_id, *values[key].values()) for key, row_id in ids.items()), key=_first)
            await self.writer.update(self._session, model, columns, rows)
        gone = {one.external_id: one.row_id for one in former if one.external_id not in ids}
        free = await free_keys(self._session, _table(model), gone.values())
        again = await self._insert(model, {key: i for key, i in gone.items() if i in free}, values)
        # On SQLite the key of a row that was deleted may be another's by now.
        others = [key for key, row_id in gone.items() if row_id not in free]
        fresh = await reserve_ids(self._session, _table(model), len(others))
        again |= await self._insert(model, dict(zip(others, fresh, strict=True)), values)
        self.batch.count(model.__tablename__, records_read=len(former), updated=len(ids), inserted=len(gone))
        return again

    async def _insert(self, model: Keyed, ids: Mapping[str, int | None], values: Values) -> dict[str, int]:
        if not ids:
            return {}
        columns = ("id", *next(iter(values.values())))
        rows = [(row_id, *values[key].values()) for key, row_id in ids.items()]
        keys = await self.writer.insert(self._session, model, columns, rows)
        return dict(zip(ids, keys, strict=True))


def _first(row: tuple[Any, ...]) -> int:
    return int(row[0])


def _table(model: Keyed) -> Table:
    return cast("Table", model.__table__)
