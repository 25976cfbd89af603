"""Real services for all tests: one embedded PostgreSQL and Redis for the whole run, a database a test."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
import structlog
from sqlalchemy import event, make_url

from models.database import open_database
from tests import forked
from tests.mariadb import shared_mariadb
from worker.embedded import Services, embedded_services
from worker.resources import Resources, open_resources
from worker.schema import migrate
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.mariadb import MariaDb

TEMPLATE = "headrace_template"
COMMAND_SECONDS = 200.0
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}

BACKENDS = ("postgresql", "sqlite", "mariadb")
every_database = pytest.mark.parametrize("backend", BACKENDS, indirect=True)
# Databases on which one transaction can wait for a row of another.
many_writers = pytest.mark.parametrize("backend", ["postgresql", "mariadb"], indirect=True)
# Databases whose keys are known before the insert, which is one statement therefore.
known_keys = pytest.mark.parametrize("backend", ["postgresql", "sqlite"], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def brief_logs() -> None:
    """Leave out what is logged for debugging: a traceback with all locals takes seconds to draw."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("info"))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Services]:
    """One PostgreSQL and one Redis, shared by the parallel test processes as commands share them."""
    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "services"
    context = embedded_services(home, postgres=True, redis=True, options=FAST)
    with asyncio.Runner() as runner:
        services = runner.run(context.__aenter__())
        try:
            runner.run(_make_template(services))
            yield services
        finally:
            runner.run(context.__aexit__(None, None, None))


async def _connect(services: Services) -> asyncpg.Connection[Any]:
    url = make_url(services.database_url or "")
    return await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=url.database)


async def _make_template(services: Services) -> None:
    connection = await _connect(services)
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
            await connection.execute(f"CREATE DATABASE {TEMPLATE}_new")
            url = make_url(services.database_url or "").set(database=f"{TEMPLATE}_new")
            async with open_database(url.render_as_string(), application="tests") as database:
                await migrate(database.engine)
            await connection.execute(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"

    async def make() -> None:
        async with open_database(f"sqlite+aiosqlite:///{path}", application="tests") as database:
            await migrate(database.engine)

    with ThreadPoolExecutor(1) as threads:  # the test that asks first has a loop running already
        threads.submit(lambda: asyncio.run(make())).result()
    return path


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[MariaDb]:
    """One MariaDB, shared by the parallel test processes; only tests that need it start it."""
    if shutil.which("mariadbd") is None:
        pytest.skip("mariadbd is not installed")
    base = tmp_path_factory.getbasetemp()
    with shared_mariadb((base if worker_id == "master" else base.parent) / "mariadb") as server:
        yield server


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database a test runs on; PostgreSQL unless it asks for every one."""
    return str(getattr(request, "param", "postgresql"))


@asynccontextmanager
async def fresh_database(backend: str, request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[str]:
    """Make a migrated, empty database of a kind, give its URL, and remove it afterwards."""
    if backend == "sqlite":
        path = folder / "headrace.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    if backend == "mariadb":
        server: MariaDb = request.getfixturevalue("mariadb")
        async with server.database() as url:
            yield url
        return
    services: Services = request.getfixturevalue("services")
    name = f"test_{uuid4().hex}"
    connection = await _connect(services)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield make_url(services.database_url or "").set(database=name).render_as_string()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def database_url(
    backend: str,
    services: Services,  # noqa: ARG001 - they start in a loop of their own, before this test's runs
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> AsyncIterator[str]:
    """A migrated, empty database of this test's own."""
    async with fresh_database(backend, request, tmp_path) as url:
        yield url


@pytest.fixture
def settings(database_url: str, services: Services, tmp_path: Path) -> Settings:
    """Settings with short leases and a queue of this test's own."""
    return Settings(
        database_url=database_url,
        redis_url=services.redis_url,
        home=tmp_path / "home",
        queue=f"test-{uuid4().hex}",
        lease_seconds=2,
        batch_size=500,
    )


@pytest_asyncio.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Database, Redis and client, opened as a worker opens them."""
    async with open_resources(settings, redis=True) as opened:
        yield opened


@pytest.fixture
def statements(resources: Resources) -> Iterator[list[str]]:
    """The statements that the test's database is sent, one after the other."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SET TRANSACTION")):
            sent.append(statement)

    engine = resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Runs `headrace` as a user does, in a process of its own."""

    environment: dict[str, str]
    folder: Path

    def __call__(self, *arguments: object, **environment: str) -> Finished:
        """Run a command to its end."""
        ended = forked.run(
            [*map(str, arguments)],
            self.environment | environment,
            self.folder,
            seconds=COMMAND_SECONDS,
        )
        return Finished(*ended)

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment | environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @staticmethod
    def command(*arguments: object) -> list[str]:
        """Give the words of a command."""
        return [sys.executable, "-m", "worker", *map(str, arguments)]


@pytest.fixture
def headrace(settings: Settings, tmp_path: Path) -> CommandLine:
    """The command line on this test's database and queue."""
    return command_line(settings, tmp_path)


def command_line(settings: Settings, folder: Path) -> CommandLine:
    """Make the command line of some settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return CommandLine(
        kept
        | {
            "DATABASE_URL": settings.database_url or "",
            "REDIS_URL": settings.redis_url or "",
            "HEADRACE_HOME": str(settings.home),
            "HEADRACE_QUEUE": settings.queue,
            "HEADRACE_LEASE_SECONDS": str(settings.lease_seconds),
            "HEADRACE_BATCH_SIZE": str(settings.batch_size or ""),
        },
        folder,
    )
