"""PostgreSQL and Redis for one run of the benchmark: the embedded ones, with the settings they come with."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from redis.asyncio import Redis
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from worker.embedded import embedded_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Services:
    """The services that all queues of a run share, one after the other."""

    postgres: URL
    redis: str

    @asynccontextmanager
    async def emptied(self) -> AsyncIterator[dict[str, str]]:
        """Make a new database and an empty Redis; give the variables that name them."""
        name = f"bench_{uuid4().hex}"
        async with Redis.from_url(self.redis) as redis:
            await redis.flushall()
        await self._execute(f"CREATE DATABASE {name}")
        try:
            url = self.postgres.set(drivername="postgresql", database=name)
            yield {"DATABASE_URL": url.render_as_string(hide_password=False), "REDIS_URL": self.redis}
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        engine = create_async_engine(self.postgres, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()


@asynccontextmanager
async def open_services(home: Path) -> AsyncIterator[Services]:
    """Start both services in a folder, and stop them again."""
    async with embedded_services(home, postgres=True, redis=True) as embedded:
        yield Services(make_url(embedded.database_url or ""), embedded.redis_url or "")
