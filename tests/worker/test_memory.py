"""An export's memory does not grow with the number of rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

if TYPE_CHECKING:
    from tests.conftest import CommandLine
    from worker.resources import Resources

ROOT = Path(__file__).parents[2]
FEW, MANY = 40_000, 160_000
NAMES = ("posts.jsonl", "posts.csv.zst", "posts.parquet")
POSTS = text(
    "INSERT INTO posts (site, external_id, kind, content, score, word_count, created_at)"
    " SELECT 'big', n::text, 'post', repeat('words of a body ', 40), 1, 120, now()"
    " FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n"
)


def peak_bytes(headrace: CommandLine, path: Path) -> int:
    """Export all posts in a process of its own and give its peak resident size."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.worker.measured", "export", "posts", "--to", str(path)],
        env=headrace.environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=100,
    )
    return int(done.stdout)


@pytest.mark.slow
async def test_an_export_of_four_times_the_rows_needs_no_more_memory(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    peaks = []
    for first, last in ((1, FEW), (FEW + 1, MANY)):
        async with resources.database.writing.begin() as session:
            await session.execute(POSTS, {"first": first, "last": last})
        peaks.append({name: peak_bytes(headrace, tmp_path / name) for name in NAMES})
        with (tmp_path / "posts.jsonl").open() as file:
            assert sum(1 for _ in file) == last
    assert all(peaks[1][name] < peaks[0][name] * 1.1 for name in NAMES), f"peak resident bytes: {peaks}"
