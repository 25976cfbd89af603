"""One row for each natural key: what is asked for twice is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from models.dialect import is_duplicate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.user import User


class TakenError(Exception):
    """The site has a user or post of that id already."""


async def add_new(session: AsyncSession, row: User | Post) -> None:
    """Insert a row in a savepoint, so that the transaction outlives a refusal.

    Raises:
        TakenError: the site has a row of that external id.

    """
    site, external_id = row.site, row.external_id
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise TakenError(f"{site} has {external_id} already, in {row.__tablename__}") from error
