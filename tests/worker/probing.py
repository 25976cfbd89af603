"""Asking a worker's HTTP port."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Answer:
    """What the port said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document in the body."""
        return json.loads(self.body)

    @property
    def samples(self) -> dict[tuple[str, ...], float]:
        """The metrics in the body, by name and label values."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.body.decode())
            for sample in family.samples
        }


def free_port() -> int:
    """Find a port that nobody listens at, nor at the one after it."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", 0)) as listening:
            port = int(listening.getsockname()[1])
            with socket.create_server(("127.0.0.1", port + 1)):
                return port


def ask(port: int, path: str, method: str = "GET") -> Answer:
    """Send one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def until(port: int, path: str, status: int, seconds: float = 120) -> Answer:
    """Ask until the answer has a status; another process has no event to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if (answer := ask(port, path)).status == status:
                return answer
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{path} never answered {status}")
