"""Every route there is, and every one that comes later: who may use it, and what its document says."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest_asyncio
from sqlalchemy import update

from models import Token
from models.clock import now
from models.token import TokenScope, revoke_token
from tests.worker.web.conftest import asking, token
from worker.web.gate import OPEN_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from worker.resources import Resources

LOOKING = {"GET", "HEAD"}


def routes_of(routes: Any) -> Iterator[tuple[str, str]]:
    """List the routes of an application, also those that its document leaves out: method and path."""
    for route in routes:
        if inner := getattr(route, "original_router", None):
            yield from routes_of(inner.routes)
        else:
            yield from ((method, route.path) for method in sorted(route.methods))


def address(path: str) -> str:
    """Fill in the parameters of a path with what is not there."""
    return re.sub(r"\{\w+\}", str(UUID(int=1)), path)


def operations(app: FastAPI) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in app.openapi()["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


@pytest_asyncio.fixture
async def secrets(resources: Resources) -> dict[str, str | None]:
    """A token of each kind, and none."""
    database = resources.database
    made: dict[str, str | None] = {
        name: await token(database, TokenScope.READ if name == "read" else TokenScope.WRITE, name)
        for name in ("read", "write", "revoked", "expired")
    }
    async with database.writing.begin() as session:
        await revoke_token(session, "revoked")
        await session.execute(update(Token).where(Token.name == "expired").values(expires_at=now(-1)))
    return made | {"none": None}


async def test_every_route_is_guarded(app: FastAPI, secrets: dict[str, str | None]) -> None:
    found = sorted(set(routes_of(app.routes)))
    assert len(found) > 12
    wrong = []
    for number, (kind, (method, path)) in enumerate(product(secrets, found)):
        # Each from an address of its own: wrong tokens of one address are soon refused unseen.
        async with asking(app, secrets[kind], f"10.0.{number // 250}.{number % 250}") as client:
            status = (await client.request(method, address(path))).status_code
        if not as_it_should(kind, method, path, status):
            wrong.append((kind, method, path, status))
    assert wrong == []


def as_it_should(kind: str, method: str, path: str, status: int) -> bool:
    if path in OPEN_PATHS or kind == "write" or (kind == "read" and method in LOOKING):
        return status not in {401, 403, 500}
    return status == (403 if kind == "read" else 401)


async def test_every_operation_is_described(app: FastAPI) -> None:
    for name, operation in operations(app):
        assert re.fullmatch(r"[a-z][A-Za-z]+", operation["operationId"]), name
        assert operation["summary"], name
        assert operation["tags"], name
        assert operation.get("security") or name.split()[1] in OPEN_PATHS, name
        assert "requestBody" not in operation or {"408", "413"} <= operation["responses"].keys(), name
        if name.split()[1].startswith("/v1/"):
            assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys(), name
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        assert body is None or body.get("examples"), name
    ids = [operation["operationId"] for _, operation in operations(app)]
    assert len(ids) == len(set(ids))


async def test_the_page_of_the_document_takes_nothing_from_elsewhere(app: FastAPI) -> None:
    async with asking(app) as client:
        page = await client.get("/docs")
        assert "//" not in page.text
        assert "script-src 'self';" in page.headers["content-security-policy"]
        for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert (await client.get(address)).status_code == 200
