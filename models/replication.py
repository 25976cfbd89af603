"""How far a primary has written and a replica has followed, where the server says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from models.dialect import dialect_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

# A commit that does not wait for the disk is not flushed yet; its record is only inserted.
_WRITTEN = text(
    "SELECT pg_wal_lsn_diff(CASE current_setting('synchronous_commit') WHEN 'off'"
    " THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0')"
)
_REPLAYED = text("SELECT coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)")
_AGE = text("SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())")
_FOLLOWS = text("SELECT pg_is_in_recovery()")
_IDENTITY = text("SELECT system_identifier::text FROM pg_control_system()")


class Lag(NamedTuple):
    """What a replica does not show yet: so many bytes, the oldest at most so many seconds old."""

    bytes: int
    seconds: float


def says_how_far(connection: AsyncConnection) -> bool:
    """Tell whether the server's positions can be compared."""
    return dialect_of(connection) == "postgresql"


async def written(connection: AsyncConnection) -> int:
    """Give the primary's position in bytes: every commit that was answered lies before it."""
    return int((await connection.execute(_WRITTEN)).scalar_one())


async def replayed(connection: AsyncConnection) -> int:
    """Give the position in bytes up to which a replica shows everything."""
    return int((await connection.execute(_REPLAYED)).scalar_one())


async def lag(primary: AsyncConnection, replica: AsyncConnection) -> Lag | None:
    """Say how far a replica is behind its primary; None where the servers do not say."""
    if not says_how_far(primary):
        return None
    behind = max(await written(primary) - await replayed(replica), 0)
    age = (await replica.execute(_AGE)).scalar_one()
    return Lag(behind, float(age or 0) if behind else 0.0)


async def follows(session: AsyncSession | AsyncConnection) -> bool:
    """Tell whether the server is a replica, by a first statement which shows that it answers at all."""
    if dialect_of(session) != "postgresql":
        await session.execute(text("SELECT 1"))
        return True
    return bool((await session.execute(_FOLLOWS)).scalar_one())


async def identity(connection: AsyncConnection) -> str | None:
    """Give what a primary and its replicas have in common, and no other server."""
    if dialect_of(connection) != "postgresql":
        return None
    return str((await connection.execute(_IDENTITY)).scalar_one())
