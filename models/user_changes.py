"""Creating, changing and deleting one user; whoever calls commits.

An edit may meet an import: then one of the two may be refused by the database with Fault.CONFLICT, and is to
be tried again as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import delete, func

from models.author_stats import mark_stale
from models.natural_key import BY_HAND, add_new
from models.post import Post, link_authors
from models.user import User

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

LINKS_AT_ONCE = 5_000


class UserValues(TypedDict, total=False):
    """What a user has besides the natural key."""

    name: str | None
    email: str | None
    reputation: int
    created_at: datetime | None


async def create_user(session: AsyncSession, site: str, external_id: str, values: UserValues) -> User:
    """Insert a user and link the posts that waited for them.

    Raises:
        TakenError: the site has such a user.

    """
    user = User(site=site, external_id=external_id, **({"reputation": 0} | values))
    await add_new(session, user)
    while authors := await link_authors(session, site, LINKS_AT_ONCE, User.id == user.id):
        await mark_stale(session, authors)
    return user


async def settle_user(session: AsyncSession, site: str, external_id: str) -> None:
    """Link posts that were written while the user was, in a transaction after the one that wrote the user.

    Neither transaction saw the other's row. Both settle when they have committed; the later one sees both.
    """
    while authors := await link_authors(session, site, LINKS_AT_ONCE, User.external_id == external_id):
        await mark_stale(session, authors)


async def update_user(session: AsyncSession, user_id: int, values: UserValues) -> User | None:
    """Change what is given of a user; None if there is none. No statistic depends on it."""
    user = await session.get(User, user_id, populate_existing=True, with_for_update={"key_share": True})
    if user is not None:
        for name, value in (BY_HAND | values).items():
            setattr(user, name, value)
        await session.flush()
    return user


async def delete_user(session: AsyncSession, user_id: int) -> bool:
    """Delete a user with their statistics; False if there is none.

    Their posts stay without an author, under the name they were displayed with, and count for nobody.
    """
    user = await session.get(User, user_id)
    if user is None:
        return False
    shown = func.coalesce(Post.author_name, user.name)
    orphaned = user.posts.update().values(author_id=None, author_name=shown)
    await session.execute(orphaned.execution_options(synchronize_session=False))
    # The order of locks is that of an import and of a refresh: posts, marks, users.
    await mark_stale(session, [user_id])
    await session.execute(delete(User).where(User.id == user_id))
    return True
