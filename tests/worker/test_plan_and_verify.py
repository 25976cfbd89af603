"""Plans and verifications: as commands, and as runs that may be killed anywhere."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from py7zr import SevenZipFile
from sqlalchemy import update

from jobs.import_requests import PlanImport
from jobs.requests import VerifyRun, VerifySite
from models import Post
from tests.chaos.settled import settled
from tests.chaos.truth import truth
from tests.conftest import every_database
from tests.factories import json_posts, json_users, run_of, write_jsonl
from worker.main import run_worker, working

if TYPE_CHECKING:
    from jobs.requests import Request
    from tests.conftest import CommandLine
    from worker.resources import Resources
    from worker.settings import Settings

ROOT = Path(__file__).parents[2]
NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    folder = tmp_path / "dump"
    folder.mkdir()
    write_jsonl(folder / "users.jsonl", json_users(7))
    write_jsonl(folder / "posts.jsonl", [*json_posts(60), {"external_id": 99}])
    return folder


def counts(document: dict[str, Any]) -> dict[str, Any]:
    names = ("read", "inserted", "updated", "unchanged", "rejected", "skipped", "repaired", "unknown_fields")
    return {entity: {name: said[name] for name in names} for entity, said in document["entities"].items()}


async def ran(resources: Resources, request: Request) -> dict[str, Any]:
    """Have a worker carry out a request and give its result."""
    run_id = await resources.client.enqueue(request)
    await run_worker(resources, burst=True)
    return (await run_of(resources, run_id)).result or {}


@every_database
async def test_a_plan_is_printed_without_a_run_and_without_redis(
    headrace: CommandLine, resources: Resources, dump: Path
) -> None:
    before = await truth(resources.database)
    planned = headrace("import", dump, "--site", "tests", "--plan", "--json", **NOWHERE)
    assert planned.code == 0, planned.err
    assert headrace("runs", "--json").json == []
    assert await truth(resources.database) == before
    by_job = (await ran(resources, PlanImport(urls=(str(dump),), site="tests")))["plan"]
    done = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json").json
    assert counts(planned.json) == counts(by_job) == counts(done)
    again = headrace("import", dump, "--site", "tests", "--plan", "--snapshot", "--json", **NOWHERE).json
    assert (again["unchanged"], again["rejected"], again["vanished"], again["deleted"]) == (67, 1, 0, 0)
    assert again["estimate"]["by"] == "1 earlier import"


def test_an_archive_is_planned_like_its_files_and_leaves_nothing_in_the_spool(
    headrace: CommandLine, settings: Settings, dump: Path, tmp_path: Path
) -> None:
    with SevenZipFile(tmp_path / "dump.7z", "w") as archive:
        for path in dump.iterdir():
            archive.write(path, path.name)
    planned = headrace("import", tmp_path / "dump.7z", "--site", "tests", "--plan", "--json", **NOWHERE)
    assert planned.code == 0, planned.err
    of_files = headrace("import", dump, "--site", "tests", "--plan", "--json", **NOWHERE).json
    assert counts(planned.json) == counts(of_files)
    assert all("dump.7z" in file["path"] for file in planned.json["files"])
    assert "dump.7z" in planned.json["rejects"][0]["source"]
    assert not [path for path in (settings.home / "spool").rglob("*") if path.is_file()]


def test_a_plan_is_shown_as_tables_and_lines(headrace: CommandLine, dump: Path) -> None:
    shown = headrace("import", dump, "--site", "tests", "--plan", **NOWHERE)
    assert shown.code == 0
    for words in (
        "plan of an import into tests",
        "posts: 1 would be rejected by rule missing",
        "missing: created_at is missing",
        "whose figures would move most, of 7 authors",
        "Nothing was written.",
    ):
        assert words in shown.out
    assert "would be deleted" not in shown.out


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--wait",), 2, "--plan makes no run"),
        (("--entity", "tags"), 2, "--entity is for a single file"),
        (("--site", " "), 2, "site"),
    ],
)
def test_an_option_that_no_plan_has_is_refused(
    headrace: CommandLine, dump: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    done = headrace("import", dump, "--site", "tests", "--plan", *options)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_plan_of_what_cannot_be_read_is_one_line(headrace: CommandLine, tmp_path: Path) -> None:
    done = headrace("import", tmp_path / "nothing.jsonl", "--site", "tests", "--plan")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "nothing.jsonl" in done.err


async def test_verify_says_whether_a_run_is_what_it_says(
    headrace: CommandLine, resources: Resources, dump: Path
) -> None:
    run_id = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json").json["run_id"]
    run = headrace("run", run_id, "--json").json
    sound = headrace("verify", run_id[:8])
    assert sound.code == 0, sound.err
    assert "Nothing is wrong." in sound.out
    assert run["entities"]["posts"]["digest"] in sound.out
    assert run["entities"]["posts"]["digest"] in headrace("run", run_id).out
    assert headrace("verify", "--site", "tests", "--json").json["entities"]["posts"] == {
        "rows": 60,
        "digest": run["entities"]["posts"]["digest"],
    }
    site = (await ran(resources, VerifySite(site="tests")))["verification"]
    assert site == headrace("verify", "--site", "tests", "--json").json
    by_job = await ran(resources, VerifyRun(run=run_id))
    assert by_job == {"sound": True, "verification": headrace("verify", run_id, "--json").json}
    async with resources.database.writing.begin() as session:
        await session.execute(update(Post).where(Post.external_id == "5").values(title="another"))
    wrong = headrace("verify", run_id)
    assert wrong.code == 1
    assert wrong.err.startswith(f"headrace: run {run_id} is not as it says: {dump / 'posts.jsonl'} at byte")
    assert len(wrong.err.splitlines()) == 1
    assert not (await ran(resources, VerifyRun(run=run_id)))["sound"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("abcd0123",), 1, "no run"),
        ((), 2, "give a run, or --site"),
        (("abcd", "--site", "x"), 2, "give a run"),
    ],
)
def test_what_cannot_be_verified_is_one_line(
    headrace: CommandLine, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = headrace("verify", *arguments)
    assert done.code == code
    assert says in done.err


def test_explain_prints_where_a_row_came_from(headrace: CommandLine, dump: Path) -> None:
    write_jsonl(dump / "users.jsonl", [*json_users(7), {"external_id": -1, "name": "Community"}])
    run_id = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json").json["run_id"]
    shown = headrace("explain", "post", "tests", "7")
    assert shown.code == 0, shown.err
    assert f"{dump / 'posts.jsonl'} (jsonl, record at" in shown.out
    assert f"run: {run_id} (import_dump, succeeded)" in shown.out
    assert '"content": "text of post 7"' in shown.out
    assert "Community" in headrace("explain", "user", "tests", "-1").out
    tag = headrace("explain", "tag", "tag-3", "--json").json
    assert (tag["row"], tag["file"]["entity"]) == ({"name": "tag-3"}, "posts")
    for arguments, says in (
        (("post", "tests", "nothing"), "site 'tests' has no post 'nothing'"),
        (("tag", "nothing"), "there is no tag 'nothing'"),
    ):
        unknown = headrace("explain", *arguments)
        assert (unknown.code, unknown.err) == (1, f"headrace: {says}\n")
    assert headrace("explain", "tag", "tests", "tag-3").code == 2


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_a_plan_or_a_verification_changes_nothing_of_the_answer(
    resources: Resources, headrace: CommandLine, dump: Path
) -> None:
    write_jsonl(dump / "posts.jsonl", json_posts(5_000))
    imported = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json").json
    for request in (PlanImport(urls=(str(dump),), site="tests"), VerifyRun(run=imported["run_id"])):
        calm = await ran(resources, request)
        run_id = await resources.client.enqueue(request)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.worker.killed_reading", "worker"),
            env=headrace.environment | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL
        async with working(resources):
            await settled(resources)
        run = await run_of(resources, run_id)
        assert (run.attempt, run.state) == (2, "succeeded")
        assert timeless(run.result or {}) == timeless(calm)


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out what depends on the time it took."""
    return {
        name: timeless(value) if isinstance(value, dict) else value
        for name, value in result.items()
        if name not in {"seconds", "estimate"}
    }
