"""A big file that is cut into ranges: whoever loads them, the tables are those of a single run."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from jobs.import_requests import ImportDump
from models import Run, State
from models.family import OPEN, family, parts_of
from models.run import FINISHED
from tests.conftest import every_database
from tests.factories import json_posts, json_users, posts_of, run_of, write_jsonl
from worker.execution import Executor
from worker.main import run_worker
from worker.run_documents import document_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources

POSTS = 1_100  # of 16 KB, so that it takes a while to load them
NOT_A_POST = {"external_id": "no date"}


@pytest.fixture(autouse=True)
def _two_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the posts be cut in two, if it is done in this process."""
    monkeypatch.setattr("jobs.ranges.RANGE_BYTES", 10_000_000)


def dump(folder: Path, site: str, *, split: bool) -> ImportDump:
    """Write users and posts, whose parents come later in the file."""
    posts = [
        row | {"content": f"{number:07} " * 2_000, "parent_external_id": (number + 700) % POSTS}
        for number, row in enumerate(json_posts(POSTS))
    ]
    write_jsonl(folder / "users.jsonl", json_users(7))
    write_jsonl(folder / "posts.jsonl", [*posts[:1_000], NOT_A_POST, *posts[1_000:]])
    return ImportDump(urls=(str(folder),), site=site, split=split)


async def rows_of(resources: Resources, site: str) -> dict[str, Any]:
    """Read what a site's posts say, by the ids of the source alone."""
    posts = await posts_of(resources.database, site)
    external = {post.id: key for key, post in posts.items()}
    return {
        key: (
            post.content,
            post.score,
            post.created_at,
            post.author_id is None,
            external.get(post.parent_id or 0),
        )
        for key, post in posts.items()
    }


async def describe(resources: Resources, run_id: UUID) -> dict[str, Any]:
    async with resources.database.reading() as session:
        return await document_in(session, run_id)


async def parts(resources: Resources, run_id: UUID) -> Sequence[Run]:
    async with resources.database.reading() as session:
        return await parts_of(session, run_id)


@every_database
async def test_a_file_that_is_cut_leaves_the_same_rows_and_counts(
    resources: Resources, tmp_path: Path
) -> None:
    cut = await resources.client.enqueue(dump(tmp_path, "cut", split=True))
    whole = await resources.client.enqueue(dump(tmp_path, "whole", split=False))
    await run_worker(resources, burst=True)
    first, second = await describe(resources, cut), await describe(resources, whole)
    jobs = [part["job"] for part in first["parts"]]
    assert jobs == ["import_users", "import_posts", "import_posts", "link_posts"]
    assert first["state"] == second["state"] == State.SUCCEEDED
    assert first["entities"] == second["entities"]
    assert first["progress"] == second["progress"]
    rows = await rows_of(resources, "cut")
    assert rows == await rows_of(resources, "whole")
    assert len(rows) == POSTS
    assert all(parent is not None for *_, parent in rows.values())


async def test_a_compressed_file_is_loaded_whole(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(gzip.compress(write_jsonl(tmp_path / "plain", json_posts(300)).read_bytes()))
    request = ImportDump(urls=(str(path),), site="cut", split=True)
    run_id = await resources.client.enqueue(request)
    await run_worker(resources, burst=True)
    assert (await describe(resources, run_id))["inserted"] == 300


@pytest.mark.slow
async def test_a_process_killed_in_the_middle_of_its_range_changes_nothing_in_the_end(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    whole = await resources.client.enqueue(dump(tmp_path, "whole", split=False))
    await run_worker(resources, burst=True)
    cut = await resources.client.enqueue(dump(tmp_path, "cut", split=True))
    await Executor(resources).execute(cut)
    parent = headrace.start("worker", "--processes", 2, HEADRACE_BATCH_SIZE="25")
    try:
        victim = await worker_in_the_middle(resources, cut)
        psutil.Process(victim).kill()
        await until_over(resources, cut)
    finally:
        parent.terminate()
        assert await asyncio.to_thread(parent.wait, 20) == 0
    first, second = await describe(resources, cut), await describe(resources, whole)
    assert first["state"] == State.SUCCEEDED
    assert [part["job"] for part in first["parts"]].count("import_posts") == 2
    assert max(part.attempt for part in await parts(resources, cut)) == 2
    assert first["entities"]["posts"] == second["entities"]["posts"]
    assert await rows_of(resources, "cut") == await rows_of(resources, "whole")


async def worker_in_the_middle(resources: Resources, run_id: UUID) -> int:
    """Wait until a range is loaded in part; give the process that does it."""
    async with asyncio.timeout(60):
        while True:
            for part in await parts(resources, run_id):
                if part.job == "import_posts" and 0 < part.bytes_done < part.bytes_total / 2 and part.worker:
                    return int(part.worker.rsplit(":", 1)[1])
            await asyncio.sleep(0.02)


async def until_over(resources: Resources, run_id: UUID) -> None:
    """Wait until the run and all that follows from it, the refresh included, have finished."""
    async with asyncio.timeout(60):
        states: set[str] = {State.QUEUED}
        while not states <= set(FINISHED):
            await asyncio.sleep(0.05)
            async with resources.database.reading() as session:
                states = {state for _, state in await family(session, [run_id])}


async def test_a_file_that_changed_after_it_was_cut_is_refused(resources: Resources, tmp_path: Path) -> None:
    run_id = await resources.client.enqueue(dump(tmp_path, "cut", split=True))
    executor = Executor(resources)
    await executor.execute(run_id)
    (tmp_path / "users.jsonl").write_text(json.dumps({"external_id": 1, "name": "another"}) + "\n")
    [users] = [part for part in await parts(resources, run_id) if part.state in OPEN]
    await executor.execute(users.id)
    run = await run_of(resources, users.id)
    assert (run.state, run.error) == (
        State.FAILED,
        "The file changed while it was being imported; import it again.",
    )
