"""The HTTP API as `headrace web` serves it, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from headrace_client import HeadraceClient
from tests.client.environment import service_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import CommandLine


@pytest.fixture
def server_url(headrace: CommandLine) -> Iterator[str]:
    """The address of a server that is stopped after the test."""
    process = subprocess.Popen(
        headrace.command("web", "--port", 0),
        env=headrace.environment,
        cwd=headrace.folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        events = (json.loads(line) for line in process.stderr)
        try:
            port = next(event["port"] for event in events if event["event"] == "web.started")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest_asyncio.fixture
async def client(server_url: str, headrace: CommandLine) -> AsyncIterator[HeadraceClient]:
    """A client with a token that may write."""
    token = headrace("token", "create", "tests", "--scope", "write", "--json").json["token"]
    async with HeadraceClient(server_url, token) as client:
        yield client


@pytest.fixture(scope="session")
def service_python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The Python of another service, which has the client and nothing else of Headrace."""
    base = tmp_path_factory.getbasetemp()
    return service_environment((base if worker_id == "master" else base.parent) / "service")
