"""Users: the people who write posts, known by their site's own id."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship

from models.base import (
    Base,
    count,
    file_key,
    file_position,
    foreign_id,
    intpk,
    missing_moment,
    name_text,
    repair_count,
    site_name,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post  # noqa: TC004 - resolved by name when mappers are configured


class User(Base):
    """A user of a site; `posts` may be millions and is therefore write-only: query it, never load it.

    `file_id`, `position` and `repairs` say which record wrote the row last; a change by hand sets them to
    null. `missing_since` is when a snapshot of the site first lacked the user.
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("site", "external_id"),)

    id: Mapped[intpk]
    site: Mapped[site_name]
    external_id: Mapped[foreign_id]
    name: Mapped[name_text | None]
    email: Mapped[str | None] = mapped_column(String(320))
    reputation: Mapped[count]
    created_at: Mapped[datetime | None]
    file_id: Mapped[file_key]
    position: Mapped[file_position]
    repairs: Mapped[repair_count]
    missing_since: Mapped[missing_moment]

    posts: WriteOnlyMapped[Post] = relationship(back_populates="author", passive_deletes=True)


async def user_by_id(session: AsyncSession, user_id: int) -> User | None:
    """Find a user."""
    return await session.get(User, user_id)


async def user_by_key(session: AsyncSession, site: str, external_id: str) -> User | None:
    """Find a user by the site's own id."""
    return await session.scalar(select(User).where(User.site == site, User.external_id == external_id))


async def users_by_ids(session: AsyncSession, ids: Collection[int]) -> Sequence[User]:
    """Find those of these users that exist, in the order of their ids."""
    return (await session.scalars(select(User).where(User.id.in_(ids)).order_by(User.id))).all()
