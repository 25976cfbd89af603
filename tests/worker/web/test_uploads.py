"""Uploads: there whole or not at all, within bounds, and never over another file by accident."""

from __future__ import annotations

import os
import resource
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.worker.web.conftest import asking, assert_problem
from worker.resources import open_resources
from worker.web.app import make_app
from worker.web.folders import uploads_of
from worker.web.keeping import LEFT_SECONDS, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from httpx import AsyncClient

    from worker.settings import Settings

MOST = 5_000_000
BODY = os.urandom(3_000_000)
ADDRESS = "/v1/uploads/posts.jsonl"


@pytest_asyncio.fixture
async def client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of an API that takes small uploads."""
    bounded = settings.model_copy(update={"upload_bytes": MOST})
    async with open_resources(bounded) as resources:
        app = make_app(resources, may_be_open=True)
        async with app.router.lifespan_context(app), asking(app) as opened:
            yield opened


@pytest.fixture
def folder(settings: Settings) -> Path:
    return uploads_of(settings)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let files grow no further, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def test_an_upload_is_what_was_sent_and_is_listed_and_deleted(
    client: AsyncClient, folder: Path
) -> None:
    done = await client.put(ADDRESS, content=BODY)
    path = folder / "posts.jsonl"
    assert done.status_code == 201
    assert done.json() == {"url": str(path), "bytes": len(BODY), "sha256": sha256(BODY).hexdigest()}
    assert path.read_bytes() == BODY
    await client.put("/v1/uploads/a.csv", content=b"")
    first = (await client.get("/v1/uploads?limit=1")).json()
    rest = (await client.get("/v1/uploads", params={"after": first["next"]})).json()
    assert [(file["name"], file["bytes"]) for file in first["items"] + rest["items"]] == [
        ("a.csv", 0),
        ("posts.jsonl", len(BODY)),
    ]
    assert rest["next"] is None
    assert (await client.delete(ADDRESS)).status_code == 204
    assert_problem(await client.delete(ADDRESS), 404)
    assert sorted(names(folder)) == ["a.csv"]


async def test_a_file_is_replaced_only_by_who_says_so(client: AsyncClient, folder: Path) -> None:
    replacing = {"If-Match": "*"}
    assert_problem(await client.put(ADDRESS, content=b"one", headers=replacing), 412)
    assert (await client.put(ADDRESS, content=b"one")).status_code == 201
    assert (await client.put(ADDRESS, content=b"one")).status_code == 200
    assert_problem(await client.put(ADDRESS, content=b"two"), 409, "If-Match")
    assert (folder / "posts.jsonl").read_bytes() == b"one"
    assert (await client.put(ADDRESS, content=b"two", headers=replacing)).status_code == 201
    assert (folder / "posts.jsonl").read_bytes() == b"two"
    assert names(folder) == ["posts.jsonl"]


async def test_an_upload_beyond_the_bound_is_refused_and_leaves_nothing(
    client: AsyncClient, folder: Path
) -> None:
    assert_problem(await client.put(ADDRESS, content=b"x" * (MOST + 1)), 413)
    assert_problem(await client.put(ADDRESS, content=pieces(MOST, 1)), 413)  # of a length that is not said
    assert (await client.put(ADDRESS, content=pieces(MOST - 1, 1))).status_code == 201
    assert names(folder) == ["posts.jsonl"]


@pytest.mark.parametrize(
    "name", ["..", ".hidden", "a%2Fb", "..%2Fb", "a%00b", "%C3%A9", "-", "x" * 151, "a b"]
)
async def test_a_name_with_parts_of_a_path_is_refused(client: AsyncClient, folder: Path, name: str) -> None:
    answer = await client.put(f"/v1/uploads/{name}", content=b"x")
    assert answer.status_code in {404, 405, 422}
    assert_problem(answer, answer.status_code)
    assert names(folder) == []


async def test_a_full_disk_is_told_and_nothing_is_left(client: AsyncClient, folder: Path) -> None:
    with largest_file(2_000_000):
        answer = await client.put(ADDRESS, content=BODY)
    assert_problem(answer, 507)
    assert names(folder) == []


def test_what_a_killed_process_has_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, new, kept = tmp_path / ".a.part", tmp_path / ".b.part", tmp_path / "c.part"
    for path in (old, new, kept):
        path.write_bytes(b"x")
    for path in (old, kept):
        os.utime(path, (0, time.time() - LEFT_SECONDS - 1))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new, kept]


async def test_a_mapping_is_proposed_for_an_upload_and_can_be_asked_with(client: AsyncClient) -> None:
    body = b'{"uid": 1, "id": 2, "created": "2020-01-01", "body": "x", "user": {"id": 3}}\n'
    upload = (await client.put("/v1/uploads/toots.jsonl", content=body)).json()
    proposed = (await client.get("/v1/uploads/toots.jsonl/mapping")).json()
    assert proposed["mapping"] == {
        "external_id": "id",
        "created_at": "created",
        "content": "body",
        "author": {"external_id": "user.id"},
        "file": {"entity": "posts", "format": "jsonl"},
    }
    request = {"url": upload["url"], "site": "s", "mapping": proposed["mapping"]}
    asked = await client.post("/v1/runs", json={"job": "import_posts", "request": request})
    assert (asked.status_code, asked.json()["request"]) == (202, request)
    users = await client.post("/v1/runs", json={"job": "import_users", "request": request})
    assert_problem(users, 422)
    assert "posts, not users" in users.text


async def test_what_no_mapping_can_be_proposed_for_is_a_problem(client: AsyncClient) -> None:
    assert_problem(await client.get("/v1/uploads/toots.jsonl/mapping"), 404)
    await client.put("/v1/uploads/toots.jsonl", content=b"[1]")
    assert_problem(await client.get("/v1/uploads/toots.jsonl/mapping"), 422)
