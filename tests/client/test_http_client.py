"""The client and a real server, from asking for a run to its rejects."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from headrace_client import (
    ConflictError,
    HeadraceClient,
    ImportPosts,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    ProblemError,
    PruneHistory,
    RefreshAuthorStats,
)
from tests.factories import json_posts, write_jsonl
from worker.main import run_worker

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources

pytestmark = pytest.mark.slow


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


async def test_a_key_makes_one_run_of_many_asks_and_belongs_to_one_request(client: HeadraceClient) -> None:
    asks = (client.enqueue(PruneHistory(keep_days=7), idempotency_key="once") for _ in range(5))
    assert len({run.run_id for run in await asyncio.gather(*asks)}) == 1
    with pytest.raises(ProblemError) as caught:
        await client.enqueue(PruneHistory(keep_days=8), idempotency_key="once")
    assert isinstance(caught.value, ConflictError | InvalidError)


async def test_runs_are_listed_over_pages_cancelled_and_retried(client: HeadraceClient) -> None:
    asked = [(await client.enqueue(PruneHistory())).run_id for _ in range(205)]
    await client.enqueue(RefreshAuthorStats(), queue="bulk")
    listed = [run.run_id async for run in client.runs(state="queued", job="prune_history")]
    assert sorted(listed) == sorted(asked)
    run_id = asked[0]
    assert (await client.cancel(run_id)).state == "cancelled"
    assert [run.state async for run in client.events(run_id)] == ["cancelled"]
    with pytest.raises(ConflictError) as caught:
        await client.cancel(run_id)
    assert caught.value.request_id
    assert (await client.retry(run_id)).state == "queued"
    assert (await client.run(run_id)).state == "queued"


async def test_an_entry_of_the_schedule_is_run_now(client: HeadraceClient) -> None:
    entries = {entry.name: entry for entry in await client.schedule()}
    name, entry = next(iter(entries.items()))
    run = await client.run_schedule(name)
    assert (run.job, run.state) == (entry.job, "queued")
    with pytest.raises(NotFoundError):
        await client.run_schedule("no/such entry")


async def test_what_is_wrong_is_an_error_of_its_kind(client: HeadraceClient, server_url: str) -> None:
    with pytest.raises(NotFoundError):
        await client.run(uuid4())
    with pytest.raises(InvalidError):
        await client.enqueue(ImportPosts(url="/etc/passwd", site="beer"))
    async with HeadraceClient(server_url, "hr_not_ours") as stranger:
        with pytest.raises(NotAllowedError):
            await stranger.enqueue(PruneHistory())
