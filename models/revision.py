"""Which migration a database is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table

from models.session import READ_ONLY

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_ALEMBIC = table("alembic_version", column("version_num"))
_REVISION = select(_ALEMBIC.c.version_num)


async def revision_of(engine: AsyncEngine) -> str | None:
    """Name the revision that the database is at; None means that it was never migrated."""
    # Every command asks first; on SQLite it need not wait for a writer.
    async with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(_ALEMBIC.name)):
            return None
        revision: str | None = await connection.scalar(_REVISION)
    return revision
