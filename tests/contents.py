"""All that is loaded, column for column, as the database has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import AuthorStats, Post, StaleAuthor, Tag, User, post_tags

if TYPE_CHECKING:
    from models import Database

TABLES: tuple[Any, ...] = (
    User.__table__,
    Post.__table__,
    Tag.__table__,
    post_tags,
    AuthorStats.__table__,
    StaleAuthor.__table__,
)
# When a figure was computed is no part of it.
LEFT_OUT = {"computed_at"}


async def contents(database: Database) -> dict[str, set[tuple[Any, ...]]]:
    """Read every row of users, posts, tags and statistics, with its keys and where it came from."""
    async with database.reading() as session:
        return {
            table.name: set(
                map(
                    tuple,
                    await session.execute(select(*(c for c in table.c if c.name not in LEFT_OUT))),
                )
            )
            for table in TABLES
        }
