"""Finding users: by what is known of them, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from models.folded import contains, equals, starts_with
from models.pages import Order, Page, page_of
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.pages import Paging

BY_ID = Order(User.id, User.id)
ORDERS = {
    "id": User.id,
    "name": User.name,
    "reputation": User.reputation,
    "created_at": User.created_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """What users must be; what is None is not asked. Names and addresses are compared without case.

    `created_since` is included, `created_until` is not.
    """

    site: str | None = None
    name_contains: str | None = None
    name_starts: str | None = None
    email: str | None = None
    email_contains: str | None = None
    min_reputation: int | None = None
    max_reputation: int | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    has_posts: bool | None = None


CONDITIONS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "site": lambda site: User.site == site,
    "name_contains": lambda part: contains(User.name, part),
    "name_starts": lambda beginning: starts_with(User.name, beginning),
    "email": lambda address: equals(User.email, address),
    "email_contains": lambda part: contains(User.email, part),
    "min_reputation": lambda least: User.reputation >= least,
    "max_reputation": lambda most: User.reputation <= most,
    "created_since": lambda since: User.created_at >= since,
    "created_until": lambda until: User.created_at < until,
    "has_posts": lambda has: User.posts.any() if has else ~User.posts.any(),
}


def user_order(name: str, *, descending: bool = False) -> Order:
    """Give an order of ORDERS."""
    return Order(ORDERS[name], User.id, descending)


async def search_users(
    session: AsyncSession, which: UserFilter, paging: Paging, order: Order = BY_ID
) -> Page[User]:
    """Read a page of the users that meet all conditions."""
    asked = {name: getattr(which, name) for name in CONDITIONS}
    conditions = [CONDITIONS[name](value) for name, value in asked.items() if value is not None]
    return await page_of(session, select(User).where(*conditions), order, paging)


async def count_posts(session: AsyncSession, user_ids: Collection[int]) -> dict[int, int]:
    """Count the posts of each of these users; 0 for who has none."""
    query = select(Post.author_id, func.count()).where(Post.author_id.in_(user_ids)).group_by(Post.author_id)
    counted = {author: number for author, number in await session.execute(query) if author is not None}
    return dict.fromkeys(user_ids, 0) | counted


async def posts_per_author(
    session: AsyncSession, site: str | None, paging: Paging, *, also_without: bool = False
) -> Page[tuple[User, int]]:
    """Read a page of users with the number of their posts, by id; of those without posts only if asked."""
    which = UserFilter(site=site, has_posts=None if also_without else True)
    page = await search_users(session, which, paging)
    counts = await count_posts(session, [user.id for user in page.items])
    return Page([(user, counts[user.id]) for user in page.items], page.next, page.total)
