"""An HTTP server that fails in the ways networks and busy services do, as a test has written down."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NO_ANSWER = b""  # the connection is cut
RUN = {
    "run_id": str(uuid4()),
    "job": "refresh_author_stats",
    "state": "queued",
    "request": {},
    "created_at": "2026-01-01T00:00:00Z",
    "run_at": "2026-01-01T00:00:00Z",
    "what_a_later_headrace_says": 1,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A request that arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Unreliable:
    """Gives its answers one after the other, each on a connection of its own."""

    answers: list[bytes]
    heard: list[Heard] = field(default_factory=list)
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one request and do as is written down for it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(Heard(head[0], headers, body))
        writer.write(self.answers.pop(0))
        writer.close()
        await writer.wait_closed()


def response(status: int, document: Any, **headers: object) -> bytes:
    """Write a response with a JSON body."""
    return stream(json.dumps(document), status=status, **headers)


def stream(text: str, *, status: int = 200, **headers: object) -> bytes:
    """Write a response that ends where the connection does."""
    names = {name.replace("_", "-"): value for name, value in headers.items()} | {"Connection": "close"}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in names.items()), "", text]
    return "\r\n".join(lines).encode()


BUSY = response(503, {"title": "Service Unavailable", "status": 503}, Retry_After=0)


@asynccontextmanager
async def unreliable(*answers: bytes) -> AsyncIterator[Unreliable]:
    """Serve these answers; all of them must have been asked for in the end."""
    server = Unreliable(list(answers))
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        server.url = f"http://{host}:{port}"
        yield server
    assert server.answers == []
