"""The client and a real server, from asking for a run to its rejects."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from headrace_client import (
    ConflictError,
    HeadraceClient,
    ImportPosts,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    PruneHistory,
    RefreshAuthorStats,
)
from tests.client.conftest import serving
from tests.factories import json_posts, write_jsonl
from worker.main import run_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def client(server_url: str) -> AsyncIterator[HeadraceClient]:
    """A client without a token, on the same host as the server."""
    async with HeadraceClient(server_url) as client:
        yield client


async def test_a_file_is_uploaded_imported_and_watched_and_its_rejects_are_listed(
    client: HeadraceClient, resources: Resources, tmp_path: Path
) -> None:
    bad = [{"external_id": n, "created_at": "yesterday"} for n in range(300)]
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(2_000) + bad)
    upload = await client.upload(path, "beer.jsonl")
    assert upload.bytes == path.stat().st_size
    asked = await client.enqueue(ImportPosts(url=upload.url, site="beer"))
    async with aclosing(client.events(asked.run_id)) as changes:
        assert (await anext(changes)).state == "queued"
    ended, _ = await asyncio.gather(client.wait(asked.run_id), run_worker(resources, burst=True))
    assert (ended.state, ended.read, ended.inserted, ended.rejected) == ("succeeded", 2_300, 2_000, 300)
    assert ended.entities["posts"].rejected == 300
    assert ended.progress.bytes_done == ended.progress.bytes_total == upload.bytes
    rejects = [reject async for reject in client.rejects(asked.run_id)]
    assert [reject.rule for reject in rejects] == ["date"] * 300
    assert all(earlier.position < later.position for earlier, later in pairwise(rejects))
    assert b"yesterday" in rejects[0].raw
    assert [reject async for reject in client.rejects(asked.run_id, rule="date", replayed=False)] == rejects
    assert [reject async for reject in client.rejects(asked.run_id, replayed=True)] == []


async def test_runs_are_asked_for_once_listed_over_pages_cancelled_and_retried(
    client: HeadraceClient, resources: Resources
) -> None:
    asks = (client.enqueue(RefreshAuthorStats(), idempotency_key="once") for _ in range(5))
    [once] = {run.run_id for run in await asyncio.gather(*asks)}
    with pytest.raises(ConflictError):
        await client.enqueue(PruneHistory(), idempotency_key="once")
    asked = await resources.client.enqueue_many([PruneHistory(keep_days=days) for days in range(1, 206)])
    listed = [run async for run in client.runs(state="queued", job="prune_history")]
    assert {run.run_id for run in listed} == set(asked)
    assert len(listed) == 205
    assert (await client.cancel(once)).state == "cancelled"
    assert [run.state async for run in client.events(once)] == ["cancelled"]
    with pytest.raises(ConflictError) as caught:
        await client.cancel(once)
    assert caught.value.request_id
    assert (await client.retry(once)).state == (await client.run(once)).state == "queued"


async def test_a_run_is_watched_on_when_the_server_is_restarted(
    headrace: CommandLine, resources: Resources
) -> None:
    run_id = await resources.client.enqueue(PruneHistory())
    with serving(headrace, 0) as port:
        client = HeadraceClient(f"http://127.0.0.1:{port}")
        changes = client.events(run_id)
        assert (await anext(changes)).state == "queued"
    with serving(headrace, port):
        await run_worker(resources, burst=True)
        async with client, aclosing(changes):
            assert [run.state async for run in changes] == ["succeeded"]


async def test_an_entry_of_the_schedule_is_run_now(client: HeadraceClient) -> None:
    [name] = [entry.name for entry in await client.schedule() if entry.job == "rebuild_author_stats"]
    run = await client.run_schedule(name)
    assert (run.job, run.state) == ("rebuild_author_stats", "queued")
    with pytest.raises(NotFoundError):
        await client.run_schedule("no such entry")


async def test_what_is_wrong_is_an_error_of_its_kind(headrace: CommandLine, server_url: str) -> None:
    token = headrace("token", "create", "reader", "--scope", "read", "--json").json["token"]
    async with HeadraceClient(server_url, token) as reader, HeadraceClient(server_url, "hr_x") as stranger:
        with pytest.raises(NotFoundError):
            await reader.run(uuid4())
        with pytest.raises(InvalidError):
            assert not [run async for run in reader.runs(state="asleep")]
        with pytest.raises(NotAllowedError) as forbidden:
            await reader.enqueue(PruneHistory())
        with pytest.raises(NotAllowedError) as unknown:
            await stranger.run(uuid4())
    assert (forbidden.value.status, unknown.value.status) == (403, 401)
