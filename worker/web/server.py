"""Serving the API: a port, uvicorn on it, and an end in good order."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from models.token import any_token
from worker.resources import ServiceError
from worker.web.app import make_app
from worker.web.gate import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from worker.resources import Resources

log = structlog.get_logger("headrace.web")

MOST_CONNECTIONS = 1_000
BACKLOG = 512
KEEP_ALIVE_SECONDS = 15


async def serve(resources: Resources, host: str, port: int) -> None:
    """Answer HTTP until SIGTERM or SIGINT.

    Raises:
        ServiceError: the port cannot be had, or is open to other hosts while there is no token.

    """
    here = is_loopback(host)
    if not here:
        await _check_token(resources, host)
    with listening(host, port) as opened:
        server = Server(config_of(make_app(resources, may_be_open=here), resources.settings.shutdown_seconds))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        # What is here now stays. Looking through all of it for garbage would hold requests up for 70 ms.
        gc.collect()
        gc.freeze()
        log.info("web.started", host=host, port=opened.getsockname()[1])
        await server.serve(sockets=[opened])
    log.info("web.stopped", requests=server.server_state.total_requests)


async def _check_token(resources: Resources, host: str) -> None:
    async with resources.database.reading() as session:
        if not await any_token(session):
            raise ServiceError(
                f"{host} can be reached by other hosts, and there is no token yet; "
                "make one: headrace token create NAME --scope write"
            )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on a port.

    Raises:
        ServiceError: it cannot be had.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ServiceError(
            f"the port {host}:{port} cannot be opened: {error.strerror}; see --port"
        ) from error
    with opened:
        # What is accepted from it inherits this: otherwise a body would wait 40 ms for the headers' receipt.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield opened


def config_of(app: FastAPI, shutdown_seconds: float) -> uvicorn.Config:
    """Configure a server: bounded, silent but for what goes wrong, and without its name in the answers."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        backlog=BACKLOG,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(shutdown_seconds),
    )


class Server(uvicorn.Server):
    """A server whose signals are the loop's, as those of a worker are, and which ends streams at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again when it has ended."""
        yield

    def stop(self) -> None:
        """Take no more requests, end streams, and let the others be answered."""
        self.config.app.state.held.stopping.set()  # type: ignore[union-attr]
        self.should_exit = True
