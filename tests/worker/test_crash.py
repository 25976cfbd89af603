"""A worker killed in the middle of an import costs nothing: another ends it with the same tables."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from jobs.requests import ImportDump
from models import State
from models.family import family
from models.run import FINISHED
from tests.factories import run_of
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources

POSTS, USERS = 12_000, 2_000
OWN = ("author_id", "computed_at")  # the database's own, different in each


def tables(headrace: CommandLine, site: str) -> dict[str, list[dict[str, Any]]]:
    """Export everything of a site, without what names the site or the database."""
    found = {}
    for entity in ("users", "posts", "authors"):
        path = headrace.folder / f"{site}-{entity}.jsonl"
        assert headrace("export", entity, "--to", path, "--site", site).code == 0
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        kept = [{k: v for k, v in row.items() if k not in {"site", *OWN}} for row in rows]
        found[entity] = sorted(kept, key=lambda row: row["external_id"])
    return found


async def until_halfway(resources: Resources, run_id: UUID) -> None:
    async with asyncio.timeout(60):
        while not await share_done(resources, run_id) > 0.4:
            await asyncio.sleep(0.02)


async def share_done(resources: Resources, run_id: UUID) -> float:
    run = await run_of(resources, run_id)
    return run.bytes_done / run.bytes_total if run.bytes_total else 0.0


async def until_finished(resources: Resources, run_id: UUID) -> None:
    async with asyncio.timeout(100):
        while True:
            async with resources.database.reading() as session:
                states = [state for _, state in await family(session, [run_id])]
            if len(states) > 1 and all(state in FINISHED for state in states):
                return
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["postgresql", "sqlite"], indirect=True)  # test_every_database.py has all
async def test_kill_9_in_the_middle_of_an_import_changes_nothing_in_the_end(
    resources: Resources, headrace: CommandLine, tmp_path: Path, backend: str
) -> None:
    posts = POSTS if backend == "postgresql" else POSTS // 4
    write_sample(tmp_path / "dump", users=USERS, posts=posts, seed=7, dirty=True)
    calm = headrace("import", tmp_path / "dump", "--site", "calm", "--wait", "--with-worker", "--json").json

    run_id = await resources.client.enqueue(ImportDump(urls=(str(tmp_path / "dump"),), site="killed"))
    first = headrace.start("worker")
    try:
        await until_halfway(resources, run_id)
    finally:
        first.kill()
        first.wait()
    killed = await run_of(resources, run_id)
    assert killed.state == State.RUNNING  # the ledger does not know yet
    assert killed.bytes_done < killed.bytes_total
    second = headrace.start("worker")
    try:
        await until_finished(resources, run_id)
    finally:
        second.terminate()
        second.wait()

    run = headrace("run", run_id, "--json").json
    assert (run["state"], run["attempt"], run["failures"]) == ("succeeded", 2, 0)
    counts = ("read", "inserted", "updated", "unchanged", "rejected", "skipped")
    for entity, receipt in calm["entities"].items():
        if entity != "tags":  # the calm import inserted those of both
            assert {n: run["entities"][entity][n] for n in counts} == {n: receipt[n] for n in counts}
    assert run["read"] == calm["read"]
    assert run["read"] == sum(run[name] for name in counts[1:])
    assert await asyncio.to_thread(tables, headrace, "killed") == await asyncio.to_thread(
        tables, headrace, "calm"
    )
    assert headrace("stats", "audit").code == 0
