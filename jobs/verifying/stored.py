"""Stored rows as they are compared with records: where they came from, and the digest of what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.columns import COLUMNS
from jobs.digests import digest
from models.natural_key import stored_rows
from models.post import Post
from models.tag import linked_tags, tag_ids
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import Entity
    from models.tag_names import TagNames

WHERE = ("file_id", "position")
# The columns of a row in the order of `values_of`, without the key and the tags.
USER, POST = COLUMNS["users"][1:], COLUMNS["posts"][1:-1]


class Stored(NamedTuple):
    """A row: the file and the place of the record that wrote it last, and the digest of what it holds."""

    file_id: int | None
    position: int | None
    digest: int


async def rows_of(
    session: AsyncSession, names: TagNames, entity: Entity, site: str, keys: Collection[str]
) -> dict[str, Stored]:
    """Map those of the keys that have a row to it; of tags, names to rows that nothing else is known of."""
    if entity == "tags":
        return {name: Stored(None, None, digest(name)) for name in await tag_ids(session, keys)}
    if entity == "users":
        found = await stored_rows(session, User, site, keys, (*WHERE, *USER))
        return {key: _stored(key, row) for key, (_, row) in found.items()}
    found = await stored_rows(session, Post, site, keys, (*WHERE, *POST))
    links = await linked_tags(session, [row_id for row_id, _ in found.values()])
    tags = await names.of([tuple(links.get(row_id, ())) for row_id, _ in found.values()])
    return {key: _stored(key, row, own) for (key, (_, row)), own in zip(found.items(), tags, strict=True)}


def _stored(key: str, row: tuple[Any, ...], *tags: list[str]) -> Stored:
    file_id, position, *values = row
    return Stored(file_id, position, digest(key, *values, *tags))
