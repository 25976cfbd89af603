"""Requests over HTTP/1.1 on kept connections, timed one by one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MS_PER_SECOND = 1_000


class UnexpectedAnswerError(Exception):
    """A request was not answered with 200."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of requests took."""

    p50_ms: float
    p99_ms: float
    per_second: float

    @classmethod
    def of(cls, seconds: Sequence[float], span: float) -> Load:
        """Sum up the seconds of each request, all made within a span."""
        ms = [one * MS_PER_SECOND for one in seconds]
        return cls(median(ms), quantiles(ms, n=100, method="inclusive")[98], len(ms) / span)


async def measure(port: int, paths: Sequence[str], connections: int) -> Load:
    """Get all paths of a server on loopback, so many at a time, after a tenth of them to warm up.

    Raises:
        UnexpectedAnswerError: one was not answered with 200.

    """
    await _all(port, iter(paths[: len(paths) // 10]), connections)
    begun = time.perf_counter()
    seconds = await _all(port, iter(paths), connections)
    return Load.of(seconds, time.perf_counter() - begun)


async def _all(port: int, paths: Iterator[str], connections: int) -> list[float]:
    clients = await asyncio.gather(*(_client(port, paths) for _ in range(connections)))
    return [one for client in clients for one in client]


async def _client(port: int, paths: Iterator[str]) -> list[float]:
    """Get paths on one connection until there are none left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    for path in paths:
        begun = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        await _answer(reader, path)
        seconds.append(time.perf_counter() - begun)
    writer.close()
    await writer.wait_closed()
    return seconds


async def _answer(reader: asyncio.StreamReader, path: str) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    body = await reader.readexactly(int(length.partition(":")[2]))
    status = head.split(" ", 2)[1]
    if status != "200":
        raise UnexpectedAnswerError(f"{path}: {status} {body[:300].decode(errors='replace')}")
