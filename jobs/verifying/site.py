"""The digests of a site's tables, so that two databases can be compared; reading only."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from jobs.digests import digest, shown
from models.exports import partitions
from models.site_rows import tags_of_site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

ROWS_AT_ONCE = 2_000


async def verify_site(session: AsyncSession, site: str) -> dict[str, Any]:
    """Count the users, posts and tags of a site and add up their digests, as receipts do.

    Tags belong to no site: counted are those that its posts have, or that its files brought first.
    """
    entities = {
        "users": await _of_rows(session, "users", site),
        "posts": await _of_rows(session, "posts", site),
    }
    tags = _Sum()
    async for names in tags_of_site(session, site):
        tags.add((name,) for name in names)
    return {"site": site, "entities": entities | {"tags": tags.document()}}


async def _of_rows(session: AsyncSession, entity: str, site: str) -> dict[str, Any]:
    found = _Sum()
    async with aclosing(partitions(session, entity, site, ROWS_AT_ONCE)) as parts:
        async for part in parts:
            # The columns of an export are those of a digest, in the same order, behind the site.
            found.add(zip(*(column for name, column in part.columns.items() if name != "site"), strict=True))
    return found.document()


class _Sum:
    """How many rows there are, and the sum of their digests."""

    def __init__(self) -> None:
        self.rows = self.digest = 0

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        digests = [digest(*row) for row in rows]
        self.rows += len(digests)
        self.digest += sum(digests)

    def document(self) -> dict[str, Any]:
        return {"rows": self.rows, "digest": shown(self.digest)}
