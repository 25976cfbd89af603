"""A primary and a replica that follows it by streaming, both real, in homes of their own."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
from sqlalchemy import make_url

from worker.embedded import embedded_services
from worker.embedded.home import Home, make_folder
from worker.embedded.postgres import Postgres
from worker.embedded.wheels import postgres_program
from worker.resources import open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOGGED = {"fsync": "off", "log_statement": "all", "log_line_prefix": "[%a] "}


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two."""

    home: Path
    url: str

    def was_sent(self, words: str, *, by: str = "headrace") -> bool:
        """Tell whether a statement with these words came from a connection of that application_name."""
        entries = re.split(r"\n(?=\[)", (self.home / "postgres.log").read_text(errors="replace"))
        return any(entry.startswith(f"[{by}") and words in entry for entry in entries)

    def kill(self) -> None:
        psutil.Process(int((self.home / "postgres/postmaster.pid").read_text().split("\n")[0])).kill()

    def restart(self) -> None:
        Postgres(Home.at(self.home), LOGGED).ensure()

    async def ask(self, query: str) -> Any:
        url = make_url(self.url)
        host = str(url.query["host"])
        connection = await asyncpg.connect(host=host, port=5432, user=url.username, database=url.database)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def until(self, query: str) -> None:
        async with asyncio.timeout(120):
            while not await self.ask(query):
                await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary with Headrace's tables, and its replica."""

    primary: Server
    replica: Server

    def settings(self, **overrides: Any) -> Settings:
        urls = {"database_url": self.primary.url, "database_replica_url": self.replica.url}
        return Settings(**{**urls, "home": self.primary.home, **overrides})


@asynccontextmanager
async def replicated(folder: Path) -> AsyncIterator[Pair]:
    """Start a primary, copy it while it runs, and start the copy as its replica."""
    async with AsyncExitStack() as stack:
        primary = await _started(stack, folder / "primary")
        async with open_resources(Settings(home=primary.home)):
            pass  # it migrates a database of its own
        _copy(Home.at(primary.home), Home.at(make_folder(folder / "replica")))
        replica = await _started(stack, folder / "replica")
        await primary.until("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        yield Pair(primary, replica)


async def _started(stack: AsyncExitStack, home: Path) -> Server:
    services = await stack.enter_async_context(
        embedded_services(home, postgres=True, redis=False, options=LOGGED)
    )
    return Server(home, services.database_url or "")


def _copy(primary: Home, replica: Home) -> None:
    """Take a base backup, with what makes the copy follow the primary."""
    replica.data.mkdir(mode=0o700)
    replica.account.give(replica.data)
    where = ["-h", str(primary.sockets), "-p", "5432", "-U", "headrace", "-D", str(replica.data)]
    command = [postgres_program("pg_basebackup"), *where, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    with (replica.folder / "copy.log").open("wb") as log:
        status = replica.account.run(command, log, env=dict(os.environ), cwd=replica.folder, timeout=60)
    assert status == 0, (replica.folder / "copy.log").read_text()
