"""What `headrace import` takes besides files: standard input and URLs."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from models import Run
from tests.factories import SITE, json_posts, run_of, write_jsonl
from tests.jobs.fetching.serving import Site, served
from worker.execution import Executor
from worker.outcomes import Succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources


def _piped(headrace: CommandLine, data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        headrace.command("import", *arguments, "--site", SITE),
        input=data,
        env=headrace.environment,
        cwd=headrace.folder,
        capture_output=True,
        check=False,
    )


async def test_standard_input_is_kept_as_a_file_and_imported(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    content = write_jsonl(tmp_path / "made.jsonl", json_posts(60)).read_bytes()
    done = await asyncio.to_thread(_piped, headrace, content, "-", "--entity", "posts", "--json")
    assert done.returncode == 0, done.stderr
    async with resources.database.reading() as session:
        [run] = (await session.scalars(select(Run))).all()
    assert isinstance(await Executor(resources).execute(run.id), Succeeded)
    assert (await run_of(resources, run.id)).receipts[0].inserted == 60
    [kept] = (resources.settings.home / "inputs").iterdir()
    assert kept.stat().st_size == len(content)


@pytest.mark.parametrize(
    ("data", "arguments", "says"),
    [
        (b"", ["-"], "standard input: holds nothing; check the command before the pipe"),
        (b"???", ["-"], "standard input: holds no format that is known"),
        (b"{}", ["-", "-"], "standard input (-) can be read once"),
    ],
)
async def test_standard_input_that_cannot_be_read_leaves_nothing(
    resources: Resources, headrace: CommandLine, data: bytes, arguments: list[str], says: str
) -> None:
    done = await asyncio.to_thread(_piped, headrace, data, *arguments)
    assert done.returncode != 0
    assert says in done.stderr.decode()
    assert not list(resources.settings.home.rglob("inputs/*"))
    async with resources.database.reading() as session:
        assert (await session.scalars(select(Run))).all() == []


async def test_a_url_is_asked_for_without_being_fetched_and_its_password_is_never_shown(
    headrace: CommandLine,
) -> None:
    async with served(Site()) as site:
        url = site.url("posts.jsonl?sig=secret").replace("//", "//ada:love@")
        done = await asyncio.to_thread(headrace, "import", url, "--site", SITE, "--json")
        assert done.code == 0, done.err
        shown = await asyncio.to_thread(headrace, "run", done.json["run_id"], "--json")
    assert done.json["request"]["urls"] == [site.url("posts.jsonl?sig=***").replace("//", "//***@")]
    assert not site.asked
    for text in (done.out, done.err, shown.out, shown.err):
        assert "love" not in text
        assert "secret" not in text
    failed = await asyncio.to_thread(headrace, "worker", "--burst")
    shown = await asyncio.to_thread(headrace, "run", done.json["run_id"], "--json")
    assert "which is not public" in shown.json["error"]
    for text in (shown.out, failed.err):
        assert "love" not in text
        assert "secret" not in text
