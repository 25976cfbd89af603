"""The examples run where only the client is installed, and lose nothing when they are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from models import Run, State
from tests.client.environment import ROOT
from tests.conftest import every_database
from tests.factories import json_posts, run_of, write_jsonl
from worker.main import run_worker, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from worker.resources import Resources

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Service:
    """Starts the programs of another service."""

    python: Path
    environment: dict[str, str]

    @contextmanager
    def fastapi(self, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """Serve examples/fastapi_service.py; give its process and address. It is killed in the end."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            command = ["uvicorn", "fastapi_service:app", "--fd", str(listening.fileno())]
            process = subprocess.Popen(
                [self.python, "-m", *command],
                env=self.environment | environment,
                cwd=ROOT / "examples",
                pass_fds=[listening.fileno()],
            )
            with process:
                try:
                    yield process, f"http://127.0.0.1:{listening.getsockname()[1]}"
                finally:
                    process.kill()

    async def script(self, *arguments: object, program: str = "plain_script.py", **environment: str) -> str:
        """Run a program of examples/ to its end."""
        process = await asyncio.create_subprocess_exec(
            self.python,
            ROOT / "examples" / program,
            *map(str, arguments),
            env=self.environment | environment,
            stdout=subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()


@dataclass
class SilentRedis:
    """Takes connections and never says a word, as a Redis behind a broken network does."""

    url: str = ""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear all that is said."""
        while await reader.read(1 << 16):
            self.heard.set()
        writer.close()


@asynccontextmanager
async def silent_redis() -> AsyncIterator[SilentRedis]:
    silent = SilentRedis()
    async with await asyncio.start_server(silent.listen, "127.0.0.1", 0) as server:
        silent.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield silent


@pytest.fixture
def service(service_python: Path, resources: Resources) -> Service:
    settings = resources.settings
    urls = {"DATABASE_URL": settings.database_url or "", "REDIS_URL": settings.redis_url or ""}
    return Service(service_python, {"PATH": os.environ["PATH"], **urls})


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "posts.jsonl", json_posts(5))


async def upload(url: str, path: Path) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=120) as http:
        response = await http.post(f"{url}/uploads", json={"path": str(path), "site": "beer"})
    assert response.status_code == 202, response.text
    return dict(response.json())


async def assert_imported_once(resources: Resources, run_id: str) -> None:
    run = await run_of(resources, UUID(run_id))
    assert (run.state, run.attempt, run.receipts[0].inserted) == (State.SUCCEEDED, 1, 5)
    async with resources.database.reading() as session:
        imports = select(func.count()).select_from(Run).where(Run.job == "import_posts")
        assert await session.scalar(imports) == 1


@every_database
async def test_a_service_commits_its_own_row_and_the_run_together(
    service: Service, resources: Resources, posts: Path
) -> None:
    with service.fastapi() as (_, url):
        taken = await upload(url, posts)
    async with resources.database.reading() as session:
        query = text("SELECT run_id FROM example_uploads WHERE id = :id")
        assert await session.scalar(query, {"id": taken["id"]}) == taken["run_id"]
    await run_worker(resources, burst=True)
    await assert_imported_once(resources, taken["run_id"])


async def test_a_service_killed_between_commit_and_bell_has_asked_all_the_same(
    service: Service, resources: Resources, posts: Path
) -> None:
    async with silent_redis() as redis:
        with service.fastapi(REDIS_URL=redis.url) as (process, url):
            taken = await upload(url, posts)
            await redis.heard.wait()  # the bell is on its way, and will not be heard
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    await run_worker(resources, burst=True)
    await assert_imported_once(resources, taken["run_id"])


async def test_a_script_asks_through_the_database(
    service: Service, resources: Resources, posts: Path
) -> None:
    said = await service.script(posts, "--site", "beer")
    await run_worker(resources, burst=True)
    await assert_imported_once(resources, said.split()[1])


async def test_a_script_asks_over_http_and_waits(
    service: Service, server_url: str, resources: Resources, posts: Path
) -> None:
    async with working(resources):
        said = await service.script(posts, "--site", "beer", HEADRACE_URL=server_url)
    assert said.endswith("has succeeded: 5 inserted, 0 rejected\n")
    await assert_imported_once(resources, said.split()[1])


@every_database
async def test_a_script_sends_records_through_the_database(service: Service, resources: Resources) -> None:
    said = await service.script("Hops or malt?", "--site", "beer", program="send_records.py")
    await run_worker(resources, burst=True)
    run = await run_of(resources, UUID(said.split()[1]))
    assert (run.state, {receipt.entity: receipt.inserted for receipt in run.receipts}) == (
        State.SUCCEEDED,
        {"users": 1, "posts": 1},
    )


async def test_a_script_sends_records_over_http_and_waits(
    service: Service, server_url: str, resources: Resources
) -> None:
    async with working(resources):
        said = await service.script("Hops?", program="send_records.py", HEADRACE_URL=server_url)
    assert said.endswith("has succeeded: 2 inserted, 0 rejected\n")
