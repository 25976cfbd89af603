"""A worker killed in the middle of an import costs nothing: another ends it with the same tables."""

from __future__ import annotations

import asyncio
import json
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

import pytest

from jobs.import_requests import ImportDump
from models import State
from tests.chaos.caught import caught
from tests.chaos.fail_points import MID_BATCH
from tests.factories import run_of
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

POSTS, USERS = 4_000, 400
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


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["postgresql", "sqlite"], indirect=True)  # test_every_database.py has all
async def test_kill_9_in_the_middle_of_an_import_changes_nothing_in_the_end(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    write_sample(tmp_path / "dump", users=USERS, posts=POSTS, seed=7, dirty=True)
    calm = headrace("import", tmp_path / "dump", "--site", "calm", "--wait", "--with-worker", "--json").json

    run_id = await resources.client.enqueue(ImportDump(urls=(str(tmp_path / "dump"),), site="killed"))
    async with caught(MID_BATCH, headrace, "worker") as process:
        process.send(SIGKILL)
        await process.ended()
    killed = await run_of(resources, run_id)
    assert killed.state == State.RUNNING  # the ledger does not know yet
    assert 0 < killed.bytes_done < killed.bytes_total
    assert headrace("worker", "--burst").code == 0

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
