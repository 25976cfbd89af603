"""Asking for runs over HTTP: once, later, from elsewhere, and only for what may be."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from jobs.registry import JOBS
from models import Run
from models.run import FINISHED
from models.token import TokenScope
from tests.conftest import every_database
from tests.factories import json_posts, run_of, write_jsonl
from tests.worker.web.conftest import asking, assert_problem, token
from worker.main import working
from worker.web.asked import EXAMPLES
from worker.web.folders import READ, WRITTEN, uploads_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx import AsyncClient

    from worker.resources import Resources
    from worker.settings import Settings

REFRESH: dict[str, Any] = {"job": "refresh_author_stats", "request": {}}
JSON = {"Content-Type": "application/json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def how_many(resources: Resources) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Run)) or 0


@every_database
async def test_a_run_that_was_asked_for_is_carried_out(
    anybody: AsyncClient, resources: Resources, settings: Settings
) -> None:
    path = write_jsonl(uploads_of(settings) / "posts.jsonl", json_posts(60))
    body = {"job": "import_posts", "request": {"url": str(path), "site": "beer"}}
    asked = await anybody.post("/v1/runs", json=body)
    assert asked.status_code == 202
    assert asked.json()["state"] == "queued"
    location = asked.headers["location"]
    assert location == f"/v1/runs/{asked.json()['run_id']}"
    async with working(resources):
        async with asyncio.timeout(120):
            while (run := (await anybody.get(location)).json())["state"] not in FINISHED:
                await asyncio.sleep(0.05)
    assert (run["state"], run["inserted"], run["entities"]["posts"]["read"]) == ("succeeded", 60, 60)
    assert run["progress"]["bytes_done"] == run["progress"]["bytes_total"] == path.stat().st_size
    assert sum(run["children"].values()) == 1


@every_database
async def test_the_same_key_asks_once_however_many_ask_at_a_time(
    anybody: AsyncClient, resources: Resources
) -> None:
    headers = {"Idempotency-Key": "order 66"}
    answers = await asyncio.gather(
        *(anybody.post("/v1/runs", json=REFRESH, headers=headers) for _ in range(20))
    )
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert await how_many(resources) == 1


async def test_a_key_stands_for_one_request_of_one_token(
    writer: AsyncClient, app: FastAPI, resources: Resources
) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await writer.post("/v1/runs", json=REFRESH, headers=headers)
    other = {"job": "prune_history", "request": {"keep_days": 3}}
    assert_problem(await writer.post("/v1/runs", json=other, headers=headers), 409, "Idempotency-Key")
    async with asking(app, await token(resources.database, TokenScope.WRITE, "another")) as another:
        second = await another.post("/v1/runs", json=REFRESH, headers=headers)
    assert second.status_code == 202
    assert second.json()["run_id"] != first.json()["run_id"]


async def test_a_run_may_be_for_later_and_for_another_queue(
    anybody: AsyncClient, resources: Resources
) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    body = REFRESH | {"run_at": moment.astimezone().isoformat(), "queue": "bulk"}
    asked = (await anybody.post("/v1/runs", json=body)).json()
    assert datetime.fromisoformat(asked["run_at"]) == moment
    assert (await run_of(resources, UUID(asked["run_id"]))).queue == "bulk"


async def test_the_trace_of_the_asker_goes_on_in_the_run(anybody: AsyncClient, resources: Resources) -> None:
    asked = await anybody.post("/v1/runs", json=REFRESH, headers={"traceparent": TRACE})
    assert (await run_of(resources, UUID(asked.json()["run_id"]))).traceparent == TRACE
    nonsense = await anybody.post("/v1/runs", json=REFRESH, headers={"traceparent": "00-zz"})
    assert (await run_of(resources, UUID(nonsense.json()["run_id"]))).traceparent is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        REFRESH | {"job": "no_such_job"},
        REFRESH | {"request": {"site": "x"}},
        REFRESH | {"extra": 1},
        REFRESH | {"run_at": "2026-01-01T00:00:00"},
        REFRESH | {"run_at": "9999-12-31T23:59:59-10:00"},
        {"job": "import_tags", "request": {"url": "/a\0b", "site": "s"}},
        {"job": "import_tags", "request": {"url": "/a", "site": "\ud800"}},
        {"job": "import_tags", "request": {"url": "/a", "site": ""}},
        {"job": "prune_history", "request": {"keep_days": 1e300}},
    ],
)
async def test_what_cannot_be_meant_is_refused_before_the_database(
    anybody: AsyncClient, resources: Resources, body: dict[str, Any]
) -> None:
    answer = await anybody.post("/v1/runs", content=json.dumps(body), headers=JSON)
    assert_problem(answer, 422)
    assert all(each["loc"] and each["msg"] for each in answer.json()["errors"])
    assert await how_many(resources) == 0


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b'{"job": "prune_history", "request": {"keep_days": Infinity}}', 422),
        (b"[" * 100_000, 400),
        (b'"' + b"x" * 2**21 + b'"', 413),
    ],
)
async def test_a_body_that_is_no_document_is_refused(
    anybody: AsyncClient, content: bytes, status: int
) -> None:
    assert_problem(await anybody.post("/v1/runs", content=content, headers=JSON), status)


async def test_files_outside_of_the_folders_are_refused(anybody: AsyncClient, settings: Settings) -> None:
    uploads = uploads_of(settings)
    (uploads / "way-out").symlink_to("/etc")
    (uploads / "circle").symlink_to(uploads / "circle")
    for url in (
        "/etc/passwd",
        "file:///etc/passwd",
        f"{uploads}/../../secret",
        f"{uploads}/way-out/passwd",
        f"{uploads}/circle/x",
        "posts.jsonl",
        f"{uploads}-others/posts.jsonl",
    ):
        for job, request in (("import_posts", {"url": url}), ("import_dump", {"urls": [str(uploads), url]})):
            body = {"job": job, "request": request | {"site": "s"}}
            assert_problem(await anybody.post("/v1/runs", json=body), 422, str(uploads))
    export = {"job": "export_rows", "request": {"entity": "users", "path": f"{uploads}/users.jsonl"}}
    assert_problem(await anybody.post("/v1/runs", json=export), 422, "exports")
    remote = {"job": "import_posts", "request": {"url": "https://example.com/x", "site": "s"}}
    assert_problem(await anybody.post("/v1/runs", json=remote), 422, "https")
    for url in ("//[", "file://[/x"):
        broken = {"job": "import_posts", "request": {"url": url, "site": "s"}}
        assert_problem(await anybody.post("/v1/runs", json=broken), 422, url)


def test_every_field_of_a_request_that_names_a_file_is_checked() -> None:
    harmless = {"site", "format", "writer", "split", "byte_range", "entity", "keep_days", "max_rejects"}
    harmless |= {"users", "posts", "tags"}  # records
    harmless |= {"run", "rule"}  # a replay reads what a run was allowed to
    harmless |= {"snapshot", "missing", "force", "entities", "mapping"}
    harmless |= {"source", "expect"}
    for job in JOBS:
        assert set(job.request.model_fields) <= harmless | set(READ) | set(WRITTEN), job.name
        job.request.model_validate(EXAMPLES[job.name])


async def test_urls_are_taken_only_from_hosts_that_are_listed(
    anybody: AsyncClient, app: FastAPI, resources: Resources
) -> None:
    def body(*urls: str) -> dict[str, Any]:
        return {"job": "import_dump", "request": {"urls": urls, "site": "beer"}}

    url = "https://ada:love@data.example.org/Posts.xml?key=secret"
    refused = await anybody.post("/v1/runs", json=body(url))
    assert_problem(refused, 422, "https://***@data.example.org/Posts.xml?key=***: must be on a host of")
    assert "secret" not in refused.text.replace("key=secret", "")
    listing = resources.settings.model_copy(update={"import_hosts": ("data.example.org", "s3://dumps")})
    app.state.held.resources = replace(resources, settings=listing)
    taken = await anybody.post("/v1/runs", json=body(url, "s3://dumps/Users.xml"))
    assert taken.status_code == 202
    assert taken.json()["request"]["urls"][0] == "https://***@data.example.org/Posts.xml?key=***"
    run = await run_of(resources, UUID(taken.json()["run_id"]))
    assert run.request["urls"] == [url, "s3://dumps/Users.xml"]
    for wrong in (
        "https://example.org/a",
        "s3://other/a",
        "s3://dumps/a::file:///etc/passwd",
        "local:///etc/passwd",
        "simplecache::file:///etc/passwd",
        "file:///etc/passwd",
        "-",
    ):
        assert (await anybody.post("/v1/runs", json=body(wrong))).status_code == 422
