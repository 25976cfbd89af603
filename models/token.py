"""Tokens of the HTTP API: who may ask, for what, and until when. Only their hashes are kept."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from sqlalchemy import String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, intpk
from models.clock import now
from models.dialect import insert_once

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

PREFIX = "hr_"
SECRET_BYTES = 32


class TokenScope(StrEnum):
    """What a token allows: to look, or also to change; `write` includes `read`."""

    READ = "read"
    WRITE = "write"


class Token(Base):
    """One token. It is revoked, not deleted: an API that once had a token never opens to everybody again."""

    __tablename__ = "api_tokens"

    id: Mapped[intpk]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def new_secret() -> str:
    """Make the text of a token."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """Give what is kept of a token.

    A secret of 256 random bits cannot be guessed from its hash however fast the hash is; a slow one, as
    passwords need, would only make each request slow. It is looked up, not compared, so no time leaks.
    """
    return sha256(secret.encode()).hexdigest()


async def add_token(
    session: AsyncSession, name: str, secret: str, scope: TokenScope, expires_at: datetime | None
) -> bool:
    """Keep a new token; False means that the name was given before."""
    values = {"name": name, "hash": hash_of(secret), "scope": scope, "expires_at": expires_at}
    return await insert_once(session, cast("Table", Token.__table__), values | {"created_at": now()})


async def find_token(session: AsyncSession, secret: str) -> Token | None:
    """Find the token that is neither revoked nor expired."""
    lives = Token.revoked_at.is_(None) & or_(Token.expires_at.is_(None), Token.expires_at > now())
    return await session.scalar(select(Token).where(Token.hash == hash_of(secret), lives))


async def any_token(session: AsyncSession) -> bool:
    """Tell whether there ever was a token."""
    return await session.scalar(select(Token.id).limit(1)) is not None


async def list_tokens(session: AsyncSession) -> Sequence[Token]:
    """List all tokens, also those that are over, in the order in which they were made."""
    return (await session.scalars(select(Token).order_by(Token.id))).all()


async def revoke_token(session: AsyncSession, name: str) -> bool:
    """Revoke the token of a name; False means that there is none that is not revoked yet."""
    statement = update(Token).where(Token.name == name, Token.revoked_at.is_(None)).values(revoked_at=now())
    done = await session.execute(statement.execution_options(synchronize_session=False))
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def note_uses(session: AsyncSession, token_ids: Collection[int]) -> None:
    """Note that tokens were used about now."""
    statement = update(Token).where(Token.id.in_(token_ids)).values(last_used_at=now())
    await session.execute(statement.execution_options(synchronize_session=False))
