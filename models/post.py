"""Posts: questions, answers and whatever else a site calls a post."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, bindparam, select, update
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from models.base import (
    Base,
    LongText,
    file_key,
    file_position,
    foreign_id,
    intpk,
    missing_moment,
    name_text,
    repair_count,
    site_name,
    small_int,
)
from models.bulk import update_rows
from models.dialect import dialect_of
from models.tag import Tag, post_tags
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row, Select, Table
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute


class Post(Base):
    """A post of a site.

    A post may arrive before its author or its parent: `author_external_id` and `parent_external_id` keep
    what the source said until the other row is there. A deleted author leaves `author_id` null and
    `author_name` as it was displayed. `score` has 32 bits so that sums over posts fit 64. `file_id`,
    `position`, `repairs` and `missing_since` are those of a user.
    """

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("site", "external_id"),
        Index(None, "created_at", "id"),
        Index(None, "site", "created_at", "id"),
        Index(None, "author_id", "created_at", "id", "score", "word_count"),
    )

    id: Mapped[intpk]
    site: Mapped[site_name]
    external_id: Mapped[foreign_id]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    author_external_id: Mapped[foreign_id | None]
    author_name: Mapped[name_text | None]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="SET NULL"), index=True)
    parent_external_id: Mapped[foreign_id | None]
    kind: Mapped[str] = mapped_column(String(32))
    title: Mapped[str | None] = mapped_column(String(1000))
    content: Mapped[str | None] = mapped_column(LongText)
    score: Mapped[small_int]
    word_count: Mapped[small_int]
    created_at: Mapped[datetime]
    file_id: Mapped[file_key]
    position: Mapped[file_position]
    repairs: Mapped[repair_count]
    missing_since: Mapped[missing_moment]

    author: Mapped[User | None] = relationship(back_populates="posts", lazy="raise")
    parent: Mapped[Post | None] = relationship(remote_side="Post.id", lazy="raise")
    tags: Mapped[list[Tag]] = relationship(secondary=post_tags, lazy="raise", order_by=Tag.name)


# Small indexes over the posts that still wait for another row: linking them costs what is left to link.
UNLINKED_AUTHOR = Post.author_id.is_(None) & Post.author_external_id.is_not(None)
UNLINKED_PARENT = Post.parent_id.is_(None) & Post.parent_external_id.is_not(None)

Index(
    "ix_posts_unlinked_author",
    Post.site,
    Post.author_external_id,
    postgresql_where=UNLINKED_AUTHOR,
    sqlite_where=UNLINKED_AUTHOR,
)
Index(
    "ix_posts_unlinked_parent",
    Post.site,
    Post.parent_external_id,
    postgresql_where=UNLINKED_PARENT,
    sqlite_where=UNLINKED_PARENT,
)


async def link_authors(session: AsyncSession, site: str, limit: int, *among: ColumnElement[bool]) -> set[int]:
    """Link up to `limit` posts of a site to authors that arrived after them; return those authors' ids.

    Conditions on users and posts narrow it down.
    """
    query = (
        select(Post.id, User.id)
        .join(User, (User.site == Post.site) & (User.external_id == Post.author_external_id))
        .where(Post.site == site, UNLINKED_AUTHOR, *among)
        .order_by(Post.id)
        .limit(limit)
    )
    found = await _link(session, Post.author_id, query)
    return {author for _, author in found}


async def link_parents(session: AsyncSession, site: str, limit: int, *among: ColumnElement[bool]) -> int:
    """Link up to `limit` posts of a site to parents that arrived after them; return how many.

    Conditions on the posts narrow it down.
    """
    parent = aliased(Post)
    query = (
        select(Post.id, parent.id)
        .join(parent, (parent.site == Post.site) & (parent.external_id == Post.parent_external_id))
        .where(Post.site == site, UNLINKED_PARENT, *among)
        .order_by(Post.id)
        .limit(limit)
    )
    return len(await _link(session, Post.parent_id, query))


async def _link(
    session: AsyncSession, column: InstrumentedAttribute[int | None], query: Select[int, int]
) -> Sequence[Row[int, int]]:
    """Set the column of the posts that a query gives with their targets, in key order; give them.

    Those that somebody else has linked meanwhile stay as they are.
    """
    posts = cast("Table", Post.__table__)
    if dialect_of(session) == "postgresql":
        locking = query.with_for_update(of=posts, key_share=True)
        found = (await session.execute(locking)).all()
        if found:
            await update_rows(session, posts, ("id", column.key), [tuple(pair) for pair in found])
        return found
    found = (await session.execute(query)).all()
    if found:
        unlinked = (posts.c.id == bindparam("post")) & posts.c[column.key].is_(None)
        linking = update(posts).where(unlinked).values({column.key: bindparam("to")})
        await session.execute(linking, [{"post": post, "to": to} for post, to in found])
    return found
