"""The HTTP API as `headrace web` serves it, and the environment of another service."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.client.environment import service_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import CommandLine


@pytest.fixture
def server_url(headrace: CommandLine) -> Iterator[str]:
    """The address of a server that is stopped after the test."""
    with serving(headrace, 0) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serving(headrace: CommandLine, port: int) -> Iterator[int]:
    """Serve at a port, or at one that is free if it is 0; give the port."""
    process = subprocess.Popen(
        headrace.command("web", "--port", port),
        env=headrace.environment,
        cwd=headrace.folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        # Somebody has to read on: a server whose log is full would wait.
        reader = Thread(target=deque, args=(process.stderr, 0))
        try:
            events = map(json.loads, process.stderr)
            opened = next(event["port"] for event in events if event["event"] == "web.started")
            reader.start()
            yield opened
        finally:
            process.terminate()
            if reader.is_alive():
                reader.join()


@pytest.fixture(scope="session")
def service_python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The Python of another service, which has the client and nothing else of Headrace."""
    base = tmp_path_factory.getbasetemp()
    return service_environment((base if worker_id == "master" else base.parent) / "service")
