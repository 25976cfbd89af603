"""The API in this process, asked without a socket."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from sqlalchemy import event
from structlog.contextvars import get_contextvars

from models.token import TokenScope, add_token, new_secret
from worker.web.app import make_app
from worker.web.server import Server, config_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI
    from httpx import Response

    from models import Database
    from worker.resources import Resources

BASE = "http://localhost"


@asynccontextmanager
async def asking(
    app: FastAPI, secret: str | None = None, address: str = "127.0.0.1"
) -> AsyncIterator[AsyncClient]:
    """Open a client of an application that serves."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with AsyncClient(
        transport=ASGITransport(app, client=(address, 1)), base_url=BASE, headers=headers
    ) as client:
        yield client


async def token(database: Database, scope: TokenScope, name: str = "a service") -> str:
    """Make a token."""
    secret = new_secret()
    async with database.writing.begin() as session:
        assert await add_token(session, name, secret, scope, None)
    return secret


def assert_problem(answer: Response, status: int, *says: str) -> None:
    """See that an answer is a problem document that says some words."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["request_id"] == answer.headers["x-request-id"]
    for words in says:
        assert words in str(problem)


@contextmanager
def sent_for_requests(resources: Resources) -> Iterator[list[str]]:
    """Note the statements of requests, and not of what looks after health and metrics beside them."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        if "request_id" in get_contextvars() and not statement.startswith(("BEGIN", "PRAGMA")):
            sent.append(statement)

    engine = resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest_asyncio.fixture
async def app(resources: Resources) -> AsyncIterator[FastAPI]:
    """The application on this test's database, open to this host as long as there is no token."""
    made = make_app(resources, may_be_open=True)
    async with made.router.lifespan_context(made):
        yield made


@pytest_asyncio.fixture
async def address(resources: Resources) -> AsyncIterator[str]:
    """The address of the application on a port of this host."""
    app = make_app(resources, may_be_open=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(config_of(app, shutdown_seconds=3))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncClient(base_url=address, timeout=120) as client:
            await client.get("/livez")  # it answers once it has started, folders and all
        yield address
        server.stop()
        await serving


@pytest_asyncio.fixture
async def anybody(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client without a token."""
    async with asking(app) as client:
        yield client


@pytest_asyncio.fixture
async def reader(app: FastAPI, resources: Resources) -> AsyncIterator[AsyncClient]:
    """A client that may read."""
    async with asking(app, await token(resources.database, TokenScope.READ, "reader")) as client:
        yield client


@pytest_asyncio.fixture
async def writer(app: FastAPI, resources: Resources) -> AsyncIterator[AsyncClient]:
    """A client that may write."""
    async with asking(app, await token(resources.database, TokenScope.WRITE, "writer")) as client:
        yield client
