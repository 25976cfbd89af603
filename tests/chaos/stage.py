"""Where a case plays: how the import is asked for, who is caught at it, and when everything is over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import make_url, update

from jobs.client import JobClient
from models import Run, State
from models.clock import now
from tests.chaos.caught import Caught, caught
from tests.chaos.fail_points import Meanwhile, Scene
from tests.chaos.settled import count_runs, settled
from tests.chaos.undisturbed import SITE, import_of
from tests.factories import post, store, user
from tests.mariadb import MariaDb, cut_connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.chaos.fail_points import FailPoint
    from tests.conftest import CommandLine
    from worker.embedded import Services
    from worker.resources import Resources

MEANWHILE_SECONDS = 120.0
GONE = 120
CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A database and a queue of one case."""

    resources: Resources
    headrace: CommandLine
    services: Services
    dump: Path

    @asynccontextmanager
    async def caught(self, point: FailPoint) -> AsyncIterator[Caught]:
        """Set the scene of a fail point, and hold the process that was caught there."""
        request = import_of(self.dump)
        command: tuple[str, ...] = ("worker",)
        match point.scene:
            case Scene.IMPORT:
                await self.resources.client.enqueue(request)
            case Scene.SNAPSHOT:
                await self._load_what_the_dump_lacks()
                await self.resources.client.enqueue(
                    request.model_copy(update={"snapshot": True, "force": True})
                )
            case Scene.ASK:
                command = ("import", str(self.dump), "--site", SITE)
            case Scene.TAKE_BACK:
                await JobClient(self.resources.database, redis=None).enqueue(request)
                await self._die_with_all_runs()
        async with caught(point, self.headrace, *command) as process:
            yield process

    async def _load_what_the_dump_lacks(self) -> None:
        """Write some batches of users and posts, with a tag of their own."""
        authors = [user(f"gone-{number}") for number in range(GONE // 2)]
        posts = [post(f"gone-{n}", author=f"gone-{n // 3}", tags=("gone",)) for n in range(GONE)]
        await store(self.resources.database, *authors, *posts, site=SITE)

    async def _die_with_all_runs(self) -> None:
        values = {"state": State.RUNNING, "attempt": 1, "worker": "dead", "lease_until": now(-1)}
        async with self.resources.database.writing.begin() as session:
            await session.execute(update(Run).values(values))

    async def cut_connections(self) -> None:
        """End every connection to this database, as a failover does; nobody else is connected by now."""
        on_mariadb = self.resources.database.engine.dialect.name == "mysql"
        assert await (self._cut_on_mariadb() if on_mariadb else self._cut_on_postgresql()) > 0
        await self.resources.database.engine.dispose()  # a worker that starts then has connections of its own

    async def _cut_on_mariadb(self) -> int:
        url = self.resources.database.engine.url
        async with MariaDb(Path(str(url.query["unix_socket"])).parent).connect() as cursor:
            return await cut_connections(cursor, url.database or "")

    async def _cut_on_postgresql(self) -> int:
        url = make_url(self.services.database_url or "")
        name = self.resources.database.engine.url.database
        admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=url.database)
        try:
            return int(await admin.fetchval(CUT, name))
        finally:
            await admin.close()

    async def meanwhile(self, what: Meanwhile) -> None:
        """Wait beyond the lease, and until the others have got as far as they can."""
        await asyncio.sleep(2 * self.resources.settings.lease_seconds)
        match what:
            case Meanwhile.FINISHED:
                await settled(self.resources)
            case Meanwhile.TAKEN_OVER:
                await self._another_attempt()
            case Meanwhile.LOCKED_OUT:
                return

    async def _another_attempt(self) -> None:
        async with asyncio.timeout(MEANWHILE_SECONDS):
            while not await count_runs(self.resources, Run.attempt > 1):
                await asyncio.sleep(0.02)
