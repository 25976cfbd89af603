"""A web server on loopback that does to its clients what servers do."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


@dataclass
class Site:
    """What the server has at any path, and how it behaves; `asked` are the requests it has had."""

    content: bytes = b""
    etag: str | None = None
    """The digest of the content unless set; empty for none."""
    last_modified: str = ""
    ranges: bool = True
    careless: bool = False
    """Whether ranges are sent of whatever version is there."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of the body each of the next connections is cut."""
    statuses: list[str] = field(default_factory=list)
    """What the next requests are answered instead: a status line, and headers below it."""
    lengths: list[int | None] = field(default_factory=list)
    """What the next answers say their length is; None to say nothing."""
    stalls_after: int | None = None
    """After how many bytes of the body nothing more comes."""
    heads: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    answering: set[asyncio.Task[None]] = field(default_factory=set)
    port: int = 0

    def url(self, path: str = "posts.jsonl", *, host: str = "127.0.0.1") -> str:
        """Give the URL of a file."""
        return f"http://{host}:{self.port}/{path}"

    @property
    def tag(self) -> str:
        """The validator that is sent."""
        return f'"{sha256(self.content).hexdigest()[:16]}"' if self.etag is None else self.etag

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        if (task := asyncio.current_task()) is not None:
            self.answering.add(task)
        try:
            await self._answer(_read(await reader.readuntil(b"\r\n\r\n")), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        if self.statuses:
            writer.write(f"HTTP/1.1 {self.statuses.pop(0)}\r\nContent-Length: 0\r\n\r\n".encode())
            return await writer.drain()
        if asked["method"] == "HEAD" and not self.heads:
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        if self.tag and asked.get("if-none-match") == self.tag:
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {self.tag}\r\n\r\n".encode())
            return await writer.drain()
        await self._send(asked, writer)
        return None

    async def _send(self, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        start, status = self._start(asked), "200 OK"
        body = self.content[start:]
        length = self.lengths.pop(0) if self.lengths else len(body)
        lines = [f"ETag: {self.tag}"] if self.tag else []
        lines += [f"Last-Modified: {self.last_modified}"] if self.last_modified else []
        lines += [] if length is None else [f"Content-Length: {length}"]
        if start and start >= len(self.content):
            status, body = "416 Range Not Satisfiable", b""
            lines = [f"Content-Range: bytes */{len(self.content)}", "Content-Length: 0"]
        elif start:
            status = "206 Partial Content"
            lines.append(f"Content-Range: bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        writer.write("\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode())
        if asked["method"] == "HEAD":
            return
        if self.stalls_after is not None:
            writer.write(body[: self.stalls_after])
            await writer.drain()
            self.stalled.set()
            await self.over.wait()
            return
        writer.write(body[: self.cuts.pop(0)] if self.cuts else body)
        await writer.drain()

    def _start(self, asked: dict[str, str]) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        same = self.careless or asked.get("if-range") in {self.tag, self.last_modified}
        return int(found[1]) if found and same and self.ranges else 0


@asynccontextmanager
async def served(site: Site, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Serve a site on a free port of loopback."""
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        site.over.set()
        await asyncio.gather(*site.answering)


def _read(head: bytes) -> dict[str, str]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {"method": method, "target": target, **headers}
