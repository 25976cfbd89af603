"""A home of embedded services with everything that tests start for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url

from worker.embedded import Services, embedded_services
from worker.embedded.home import Home
from worker.embedded.processes import is_alive, tagged, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
FAST = {"fsync": "off"}
NOTHING = Services(None, None)
NOBODY = 65534
COMMAND = """
import asyncio, sys
from pathlib import Path
from worker.embedded import EmbeddedError, embedded_services

async def main():
    try:
        home, options = Path(sys.argv[1]), {"fsync": "off"}
        async with embedded_services(home, postgres=True, redis=True, options=options) as here:
            print(here.database_url, here.redis_url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
    except EmbeddedError as error:
        print("error:", error, flush=True)

asyncio.run(main())
"""


@dataclass
class Command:
    """Another process that holds the services of a home until it is told to end."""

    process: subprocess.Popen[str]

    def told(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def services(self) -> Services:
        database_url, redis_url = self.told().split(" ")
        return Services(database_url, redis_url)

    def end(self) -> None:
        rest, _ = self.process.communicate("\n", timeout=120)
        assert (rest, self.process.returncode) == ("", 0)

    def kill(self) -> None:
        self.process.kill()
        # The end of its output shows that no daemon holds the pipe: `headrace … | head` would hang.
        self.process.communicate(timeout=5)


@dataclass
class House:
    """A home, and all that was started for it."""

    folder: Path
    tags: set[str] = field(default_factory=set)
    commands: list[Command] = field(default_factory=list)

    def hold(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tags.add(Home.at(self.folder).tag)
        return embedded_services(self.folder, postgres=True, redis=True, options=FAST)

    def command(self, *prefix: str, **environment: str) -> Command:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tags.add(Home.at(self.folder).tag)
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", COMMAND, str(self.folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.commands.append(Command(process))
        return self.commands[-1]

    def daemons(self) -> list[psutil.Process]:
        names = ("postgres", "redis-server")
        return [found for tag in self.tags for name in names for found in tagged(name=name, tag=tag)]

    def ask_daemons(self, question: Callable[[psutil.Process], Any]) -> list[Any]:
        """Ask each daemon; one that ends meanwhile, as PostgreSQL's for a connection do, has no answer."""
        answers = []
        for daemon in self.daemons():
            with suppress(psutil.NoSuchProcess):
                answers.append(question(daemon))
        return answers

    def server(self, pid_file: str) -> psutil.Process:
        return psutil.Process(int((self.folder / pid_file).read_text().split("\n")[0]))

    def kill_server(self, pid_file: str) -> None:
        server = self.server(pid_file)
        server.kill()
        assert wait_until(lambda: not is_alive(server), seconds=10)

    def begins(self) -> bool:
        return any(self.folder.glob("postgres.unfinished-*"))

    def is_quiet(self) -> bool:
        places = [Path(tempfile.gettempdir(), tag) for tag in self.tags]
        return not self.daemons() and not any(place.exists() for place in places)

    def clear(self) -> None:
        for command in self.commands:
            with command.process:
                command.process.kill()
        for daemon in self.daemons():
            with suppress(psutil.Error):
                daemon.kill()
        wait_until(lambda: not self.daemons(), seconds=10)
        for tag in self.tags:
            shutil.rmtree(Path(tempfile.gettempdir(), tag), ignore_errors=True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A home of its own; what was started for it is gone after the test, however that ended."""
    house = House(tmp_path / "home")
    try:
        yield house
    finally:
        house.clear()


async def sql(services: Services, statement: str) -> Any:
    url = make_url(services.database_url or "")
    connection = await asyncpg.connect(
        host=str(url.query["host"]), port=5432, user=url.username, database=url.database
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def queue(services: Services, *command: str) -> Any:
    async with Redis.from_url(services.redis_url or "") as redis:
        return await redis.execute_command(*command)
