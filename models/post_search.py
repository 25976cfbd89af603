"""Finding posts, with their authors and tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import defer, joinedload, selectinload

from models.folded import contains
from models.pages import Order, Page, page_of
from models.post import Post
from models.tag import post_tags, tag_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.pages import Paging
    from models.user import User

NEWEST_FIRST = Order(Post.created_at, Post.id, descending=True)
# The author comes in the same row; the tags of all posts in one more statement, so that rows stay whole.
WITH_AUTHOR_AND_TAGS = (joinedload(Post.author), selectinload(Post.tags))
# In lists the contents would be most of what is read.
LISTED = (*WITH_AUTHOR_AND_TAGS, defer(Post.content, raiseload=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFilter:
    """What posts must be; what is None or empty is not asked.

    `since` is included, `until` is not. Titles are compared without case, tags byte for byte.
    """

    site: str | None = None
    author_id: int | None = None
    kind: str | None = None
    title_contains: str | None = None
    min_score: int | None = None
    max_score: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    all_tags: Collection[str] = ()
    any_tags: Collection[str] = ()


CONDITIONS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "site": lambda site: Post.site == site,
    "author_id": lambda author_id: Post.author_id == author_id,
    "kind": lambda kind: Post.kind == kind,
    "title_contains": lambda part: contains(Post.title, part),
    "min_score": lambda least: Post.score >= least,
    "max_score": lambda most: Post.score <= most,
    "since": lambda since: Post.created_at >= since,
    "until": lambda until: Post.created_at < until,
}


async def post_by_id(session: AsyncSession, post_id: int) -> Post | None:
    """Find a post with its author and tags, as the database has it now."""
    return await session.get(Post, post_id, options=WITH_AUTHOR_AND_TAGS, populate_existing=True)


async def post_by_key(session: AsyncSession, site: str, external_id: str) -> Post | None:
    """Find a post by its site's own id, with its author and tags."""
    query = select(Post).where(Post.site == site, Post.external_id == external_id)
    return await session.scalar(query.options(*WITH_AUTHOR_AND_TAGS))


async def search_posts(session: AsyncSession, which: PostFilter, paging: Paging) -> Page[Post]:
    """Read a page of the posts that meet all conditions, with authors and tags, the newest first."""
    asked = {name: getattr(which, name) for name in CONDITIONS}
    conditions = [CONDITIONS[name](value) for name, value in asked.items() if value is not None]
    if which.all_tags or which.any_tags:
        # With the keys in the statement the planner knows how many posts a tag has.
        known = await tag_ids(session, {*which.all_tags, *which.any_tags})
        conditions += _tagged(which, known)
    query = select(Post).where(*conditions).options(*LISTED)
    return await page_of(session, query, NEWEST_FIRST, paging)


def _tagged(which: PostFilter, known: Mapping[str, int]) -> list[ColumnElement[bool]]:
    choices = [[name] for name in which.all_tags]
    if which.any_tags:
        choices.append(list(which.any_tags))
    return [_has_one_of([known[name] for name in names if name in known]) for names in choices]


def _has_one_of(tags: Collection[int]) -> ColumnElement[bool]:
    return Post.id.in_(select(post_tags.c.post_id).where(post_tags.c.tag_id.in_(tags)))


async def posts_of_user(session: AsyncSession, user: User, paging: Paging) -> Page[Post]:
    """Read a page of a user's posts with their tags, the newest first; each has the user as its author."""
    query = user.posts.select().options(*LISTED)
    return await page_of(session, query, NEWEST_FIRST, paging)
