"""Memory does not grow with the number of rows, be it of an export, a plan or a verification."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from worker.sample import write_sample

if TYPE_CHECKING:
    from tests.conftest import CommandLine
    from worker.resources import Resources

ROOT = Path(__file__).parents[2]
FEW, MANY = 40_000, 160_000
LITTLE_BYTES = 24 * 1024 * 1024
NAMES = ("posts.jsonl", "posts.csv.zst", "posts.parquet")
POSTS = text(
    "INSERT INTO posts (site, external_id, kind, content, score, word_count, created_at)"
    " SELECT 'big', n::text, 'post', repeat('words of a body ', 40), 1, 120, now()"
    " FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n"
)


def peak_bytes(headrace: CommandLine, *command: object) -> int:
    """Carry out a command in a process of its own and give its peak resident size, printed last."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.worker.measured", *map(str, command)],
        env=headrace.environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=100,
    )
    return int(done.stdout.split()[-1])


@pytest.mark.slow
async def test_an_export_of_four_times_the_rows_needs_no_more_memory(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    peaks = []
    for first, last in ((1, FEW), (FEW + 1, MANY)):
        async with resources.database.writing.begin() as session:
            await session.execute(POSTS, {"first": first, "last": last})
        peaks.append(
            {name: peak_bytes(headrace, "export", "posts", "--to", tmp_path / name) for name in NAMES}
        )
        with (tmp_path / "posts.jsonl").open() as file:
            assert sum(1 for _ in file) == last
    assert all(peaks[1][name] < peaks[0][name] * 1.1 for name in NAMES), f"peak resident bytes: {peaks}"


@pytest.mark.slow
async def test_a_plan_and_a_verification_of_four_times_the_records_need_little_more_memory(
    headrace: CommandLine, tmp_path: Path
) -> None:
    peaks = []
    for posts in (15_000, 60_000):
        dump, site = tmp_path / str(posts), f"site-{posts}"
        write_sample(dump, users=posts // 20, posts=posts, seed=1, dirty=False)
        plan = peak_bytes(headrace, "import", dump, "--site", site, "--plan", "--json")
        run = headrace("import", dump, "--site", site, "--wait", "--with-worker", "--json").json
        verify = peak_bytes(headrace, "verify", run["run_id"])
        peaks.append({"plan": plan, "verify": verify})
    # The rows that a plan foresees are on disk beyond 16 MiB; a dump of this size is 70 MB.
    assert all(peaks[1][name] - peaks[0][name] < LITTLE_BYTES for name in peaks[0]), f"peaks: {peaks}"
