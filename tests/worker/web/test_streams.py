"""Following a run: server-sent events, from its start to its end, at little cost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx

from jobs.requests import RefreshAuthorStats
from tests.conftest import every_database
from tests.factories import json_posts, write_jsonl
from worker.main import working
from worker.web.folders import uploads_of
from worker.web.routes import run_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from worker.resources import Resources
    from worker.settings import Settings


async def events_of(stream: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Read server-sent events: their names and documents."""
    name = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@every_database
async def test_a_stream_shows_an_import_from_its_start_to_its_end(
    address: str, resources: Resources, settings: Settings
) -> None:
    path = write_jsonl(uploads_of(settings) / "posts.jsonl", json_posts(1_500))
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        body = {"job": "import_posts", "request": {"url": str(path), "site": "s"}}
        run_id = (await client.post("/v1/runs", json=body)).json()["run_id"]
        async with client.stream("GET", f"/v1/runs/{run_id}/events", timeout=120) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            events = events_of(stream)
            seen = [await anext(events)]
            async with working(resources):
                seen += [event async for event in events]
    assert [name for name, _ in seen[:-1]] == ["progress"] * (len(seen) - 1)
    assert seen[-1][0] == "end"
    documents = [document for _, document in seen]
    assert (documents[0]["state"], documents[-1]["state"]) == ("queued", "succeeded")
    done = [document["progress"]["bytes_done"] for document in documents]
    assert done == sorted(done)
    assert documents[-1]["inserted"] == 1_500


async def test_a_stream_holds_no_connection(address: str, resources: Resources) -> None:
    run_id = await resources.client.enqueue(RefreshAuthorStats())
    path = f"/v1/runs/{run_id}/events"
    async with httpx.AsyncClient(base_url=address, limits=httpx.Limits(), timeout=120) as client:
        streams = [client.stream("GET", path, timeout=120) for _ in range(3 * resources.settings.connections)]
        opened = await asyncio.gather(*(stream.__aenter__() for stream in streams))
        assert {(await anext(events_of(stream)))[0] for stream in opened} == {"progress"}
        assert (await client.get("/v1/runs")).status_code == 200
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_streams_are_bounded_and_one_that_is_left_makes_room(
    address: str, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_events, "MOST_STREAMS", 1)
    path = f"/v1/runs/{await resources.client.enqueue(RefreshAuthorStats())}/events"
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        async with client.stream("GET", path) as stream:
            assert (await anext(events_of(stream)))[0] == "progress"
            assert (await client.get(path)).status_code == 503
        async with asyncio.timeout(120):
            opened = False
            while not opened:
                async with client.stream("GET", path) as stream:
                    opened = stream.status_code == 200
