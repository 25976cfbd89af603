"""Runs over HTTP: seen as they are, stopped and started again."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from jobs.import_requests import ImportDump
from jobs.requests import RebuildAuthorStats, RefreshAuthorStats
from models import Reject, Run
from tests.conftest import every_database
from tests.factories import post, store, user
from tests.worker.web.conftest import assert_problem, sent_for_requests
from worker.main import run_worker
from worker.web.paging import cursor_of

if TYPE_CHECKING:
    from httpx import AsyncClient

    from worker.resources import Resources


def reject(run_id: UUID, position: int, raw: bytes = b"") -> Reject:
    values = {"entity": "posts", "source": "/x", "file_number": 0, "rule": "r", "reason": "why"}
    return Reject(run_id=run_id, position=position, raw=raw, **values)


async def test_a_page_of_runs_is_not_shifted_by_runs_that_come(
    anybody: AsyncClient, resources: Resources
) -> None:
    ids = await resources.client.enqueue_many([RefreshAuthorStats() for _ in range(7)])
    await resources.client.enqueue(RebuildAuthorStats())
    asked: dict[str, str | int] = {"limit": 3, "job": "refresh_author_stats"}
    page = (await anybody.get("/v1/runs", params=asked)).json()
    seen = [run["run_id"] for run in page["items"]]
    while page["next"]:
        await resources.client.enqueue(RefreshAuthorStats())
        page = (await anybody.get("/v1/runs", params=asked | {"after": page["next"]})).json()
        seen += [run["run_id"] for run in page["items"]]
    assert sorted(seen) == sorted(map(str, ids))
    assert (await anybody.get("/v1/runs", params={"state": "failed"})).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "after=x",
        "after=W10",
        "after=",
        "state=x",
        "job=%00",
        "after=bnVsbA",
        "stat=failed",
    ],
)
async def test_a_page_that_cannot_be_is_refused(anybody: AsyncClient, query: str) -> None:
    assert_problem(await anybody.get(f"/v1/runs?{query}"), 422)


@every_database
async def test_a_cursor_beyond_what_columns_take_is_refused(
    anybody: AsyncClient, resources: Resources
) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    for path, key in (
        ("/v1/runs", ["0001-01-01T00:00:00+14:00", run_id]),
        ("/v1/runs", ["9999-12-31T23:59:59-14:00", run_id]),
        (f"/v1/runs/{run_id}/rejects", [-2, 0, 0]),
        (f"/v1/runs/{run_id}/rejects", [0, 2**31, 0]),
        (f"/v1/runs/{run_id}/rejects", [0, 0, 2**63]),
        (f"/v1/runs/{run_id}/rejects", [0, 0]),
    ):
        assert_problem(await anybody.get(path, params={"after": cursor_of(key)}), 422, "`after`")


@every_database
async def test_a_run_is_cancelled_and_queued_again(anybody: AsyncClient, resources: Resources) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    address = f"/v1/runs/{run_id}"
    assert_problem(await anybody.post(f"{address}/retry"), 409)
    cancelled = await anybody.post(f"{address}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert_problem(await anybody.post(f"{address}/cancel"), 409, "cancelled")
    again = await anybody.post(f"{address}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")


async def test_what_is_not_there_is_not_found(anybody: AsyncClient) -> None:
    address = f"/v1/runs/{uuid4()}"
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/rejects"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ):
        assert_problem(await anybody.request(method, address + path), 404, address)
    assert_problem(await anybody.get("/v1/runs/17"), 422)
    assert_problem(await anybody.get("/v1/nothing/%00"), 404)
    assert_problem(await anybody.get("/v1/runs/"), 404)
    assert_problem(await anybody.put("/v1/runs"), 405)


async def test_rejects_come_with_their_bytes(anybody: AsyncClient, resources: Resources) -> None:
    run_id = await resources.client.enqueue(ImportDump(urls=("/x",), site="s"))
    raws = [b"{}", b"\xff\x00", "é".encode()]
    async with resources.database.writing.begin() as session:
        session.add_all(reject(run_id, at, raw) for at, raw in enumerate(raws))
    first = (await anybody.get(f"/v1/runs/{run_id}/rejects?limit=2")).json()
    rest = (await anybody.get(f"/v1/runs/{run_id}/rejects", params={"after": first["next"]})).json()
    found = first["items"] + rest["items"]
    assert [b64decode(reject["raw_base64"]) for reject in found] == raws
    assert [reject["raw"] for reject in found] == ["{}", None, "é"]
    assert rest["next"] is None


@every_database
async def test_rejects_of_parts_are_listed_with_the_whole_and_by_rule_and_replay(
    anybody: AsyncClient, resources: Resources
) -> None:
    run_id = await resources.client.enqueue(ImportDump(urls=("/x",), site="s"))
    parts = [await resources.client.enqueue(RefreshAuthorStats(), parent_id=run_id) for _ in range(3)]
    async with resources.database.writing.begin() as session:
        for number, part in enumerate(parts):
            await session.execute(update(Run).where(Run.id == part).values(part=2 - number))
            rows = [reject(part, at) for at in (30, 4)]
            rows[0].rule, rows[0].replayed_by = "database", run_id
            session.add_all(rows)

    async def listed(**params: str | int) -> list[dict[str, Any]]:
        found, asked = [], {"limit": 2, **params}
        while True:
            page = (await anybody.get(f"/v1/runs/{run_id}/rejects", params=asked)).json()
            found += page["items"]
            if page["next"] is None:
                return found
            asked["after"] = page["next"]

    found = await listed()
    assert [(item["run_id"], item["position"]) for item in found] == [
        (str(part), at) for part in reversed(parts) for at in (4, 30)
    ]
    assert len({item["id"] for item in found}) == 6
    replayed = await listed(replayed="true")
    assert replayed == await listed(rule="database")
    assert {item["replayed_by"] for item in replayed} == {str(run_id)}
    assert [item["rule"] for item in await listed(replayed="false")] == ["r"] * 3
    run = (await anybody.get(f"/v1/runs/{run_id}")).json()
    assert (run["rejects_by_rule"], run["replayed_by_rule"]) == ({"database": 3, "r": 3}, {"database": 3})


@every_database
async def test_records_are_sent_and_replayed_over_http_and_only_counted_in_documents(
    anybody: AsyncClient, resources: Resources
) -> None:
    records = {
        "site": "s",
        "users": [{"external_id": n, "about": "é" * 500} for n in range(900)],
        "tags": [{}],
    }
    asked = await anybody.post("/v1/runs", json={"job": "import_records", "request": records})
    assert asked.status_code == 202
    address = f"/v1/runs/{asked.json()['run_id']}"
    await run_worker(resources, burst=True)
    run = (await anybody.get(address)).json()
    assert (run["inserted"], run["rejected"]) == (900, 1)
    assert run["request"] == {"site": "s", "users": 900, "tags": 1}
    assert (await anybody.get("/v1/runs?job=import_records")).json()["items"][0]["request"] == run["request"]
    replay = {"job": "replay_rejects", "request": {"run": run["run_id"]}}
    again = (await anybody.post("/v1/runs", json=replay)).json()["run_id"]
    await run_worker(resources, burst=True)
    replayed = (await anybody.get(f"/v1/runs/{again}")).json()
    assert (replayed["state"], replayed["read"], replayed["rejected"]) == ("succeeded", 1, 1)
    too_many = {"site": "s", "users": [{}] * 1_001}
    body = {"job": "import_records", "request": too_many}
    assert_problem(await anybody.post("/v1/runs", json=body), 422, "1,001 records")


@every_database
async def test_an_entry_of_the_schedule_is_started_if_there_is_something_to_do(
    anybody: AsyncClient, resources: Resources
) -> None:
    entries = (await anybody.get("/v1/schedule")).json()["items"]
    assert [entry["name"] for entry in entries] == ["refresh-stats", "rebuild-stats", "prune-history"]
    assert datetime.fromisoformat(entries[0]["next_tick"]) > datetime.now(UTC)
    assert_problem(await anybody.post("/v1/schedule/refresh-stats/run"), 409, "nothing to do")
    await store(resources.database, user(1), post(1, author=1))
    started = await anybody.post("/v1/schedule/refresh-stats/run")
    assert (started.status_code, started.json()["job"]) == (202, "refresh_author_stats")
    assert_problem(await anybody.post("/v1/schedule/nothing/run"), 404, "refresh-stats")


async def test_a_request_costs_as_many_statements_whatever_there_is(
    anybody: AsyncClient, resources: Resources
) -> None:
    async def count(method: str, path: str) -> int:
        with sent_for_requests(resources) as statements:
            assert (await anybody.request(method, path)).status_code in {200, 202, 409}
        return len(statements)

    async def add_part(number: int) -> None:
        part = await resources.client.enqueue(RefreshAuthorStats(), parent_id=run_id)
        async with resources.database.writing.begin() as session:
            await session.execute(update(Run).where(Run.id == part).values(part=number))
            session.add(reject(run_id, number))

    [run_id] = await resources.client.enqueue_many([ImportDump(urls=("/x",), site="s")])
    addresses = [("GET", path) for path in ("/v1/runs", f"/v1/runs/{run_id}", f"/v1/runs/{run_id}/rejects")]
    addresses += [("GET", "/v1/schedule"), ("POST", f"/v1/runs/{run_id}/retry")]
    await anybody.get("/v1/runs")  # that there is no token is known from here on
    await add_part(0)
    before = [await count(*address) for address in addresses]
    for number in range(1, 20):
        await add_part(number)
    assert [await count(*address) for address in addresses] == before
    assert max(before) <= 9
