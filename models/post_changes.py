"""Creating, changing and deleting one post with its tags; whoever calls commits.

The authors whose figures change are marked in the same transaction. An edit may meet an import: both lock
tags, posts and marks in this order, and if the database refuses one of them with Fault.CONFLICT, that one is
to be tried again as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import delete

from models.author_stats import mark_stale
from models.clock import moment
from models.natural_key import BY_HAND, add_new, lock_rows, stored_ids
from models.post import Post, link_authors, link_parents
from models.post_search import post_by_id
from models.tag import ensure_tags, linked_tags, store_links
from models.user import User
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

LINKS_AT_ONCE = 5_000


class PostValues(TypedDict, total=False):
    """What a post has besides the natural key; author and parent by their site's own ids, as in a dump."""

    author_external_id: str | None
    author_name: str | None
    parent_external_id: str | None
    kind: str
    title: str | None
    content: str | None
    score: int
    created_at: datetime
    tags: Collection[str]


async def create_post(session: AsyncSession, site: str, external_id: str, values: PostValues) -> Post:
    """Insert a post and link the posts that waited for it as their parent; give it with author and tags.

    An author or parent that the site does not have yet is linked when it comes. Without `created_at` the
    post is of now.

    Raises:
        TakenError: the site has such a post.

    """
    tags = await ensure_tags(session, set(values.get("tags", ())))
    columns = {"kind": "post", "score": 0, "word_count": 0} | await _columns(session, site, values)
    if "created_at" not in columns:
        columns["created_at"] = await moment(session)
    post = Post(site=site, external_id=external_id, **columns)
    await add_new(session, post)
    await store_links(session, {}, {post.id: set(tags.values())})
    while await link_parents(session, site, LINKS_AT_ONCE, Post.parent_external_id == external_id):
        pass
    await _mark(session, {post.author_id})
    return await _current(session, post)


async def settle_post(session: AsyncSession, site: str, external_id: str) -> None:
    """Link a post to what was written while it was, as `settle_user` does for a user."""
    await mark_stale(session, await link_authors(session, site, 1, Post.external_id == external_id))
    await link_parents(session, site, 1, Post.external_id == external_id)
    while await link_parents(session, site, LINKS_AT_ONCE, Post.parent_external_id == external_id):
        pass


async def update_post(session: AsyncSession, post_id: int, values: PostValues) -> Post | None:
    """Change what is given of a post; `tags` replaces all that it has. None if there is no such post.

    It is given back with its author and tags.
    """
    wanted = await ensure_tags(session, set(values.get("tags", ())))
    post = await session.get(Post, post_id, with_for_update=True, populate_existing=True)
    if post is None:
        return None
    former_author = post.author_id
    for name, value in (BY_HAND | await _columns(session, post.site, values)).items():
        setattr(post, name, value)
    await session.flush()
    if "tags" in values:
        links = await linked_tags(session, [post_id])
        await store_links(session, links, {post_id: set(wanted.values())})
    await _mark(session, {former_author, post.author_id})
    return await _current(session, post)


async def delete_post(session: AsyncSession, post_id: int) -> bool:
    """Delete a post; False if there is none. Posts below it stay and would find it again."""
    locked = await lock_rows(session, Post, [post_id], "author_id")
    if not locked:
        return False
    await session.execute(delete(Post).where(Post.id == post_id))
    await _mark(session, {author for _, author in locked})
    return True


async def _columns(session: AsyncSession, site: str, values: PostValues) -> dict[str, Any]:
    """Give what to write for the values, with what follows from them: keys, and the number of words."""
    columns: dict[str, Any] = {name: value for name, value in values.items() if name != "tags"}
    if "author_external_id" in values:
        author = values["author_external_id"] or ""
        columns["author_id"] = (await stored_ids(session, User, site, {author})).get(author)
    if "parent_external_id" in values:
        parent = values["parent_external_id"] or ""
        columns["parent_id"] = (await stored_ids(session, Post, site, {parent})).get(parent)
    if "content" in values:
        columns["word_count"] = word_count(values["content"])
    return columns


async def _mark(session: AsyncSession, authors: set[int | None]) -> None:
    await mark_stale(session, {author for author in authors if author is not None})


async def _current(session: AsyncSession, post: Post) -> Post:
    return await post_by_id(session, post.id) or post
