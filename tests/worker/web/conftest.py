"""The API in this process, asked without a socket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest_asyncio
from httpx import ASGITransport, AsyncClient

from models.token import TokenScope, add_token, new_secret
from worker.web.app import make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

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


@pytest_asyncio.fixture
async def app(resources: Resources) -> AsyncIterator[FastAPI]:
    """The application on this test's database, open to this host as long as there is no token."""
    made = make_app(resources, may_be_open=True)
    async with made.router.lifespan_context(made):
        yield made


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
