"""An export's memory does not grow with the number of rows."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

FEW, MANY = 50_000, 200_000
POSTS = text(
    "INSERT INTO posts (site, external_id, kind, content, score, word_count, created_at)"
    " SELECT 'big', n::text, 'post', repeat('words of a body ', 30), 1, 120, now()"
    " FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n"
)


def peak_bytes(headrace: CommandLine, path: Path) -> int:
    """Export all posts in a process of its own and give its peak resident size."""
    pid = os.posix_spawn(
        sys.executable,
        headrace.command("export", "posts", "--to", path),
        headrace.environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return usage.ru_maxrss * 1_024


@pytest.mark.slow
async def test_an_export_of_four_times_the_rows_needs_no_more_memory(
    resources: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    peaks = []
    for first, last in ((1, FEW), (FEW + 1, MANY)):
        async with resources.database.writing.begin() as session:
            await session.execute(POSTS, {"first": first, "last": last})
        peaks.append(peak_bytes(headrace, tmp_path / "posts.jsonl"))
        with (tmp_path / "posts.jsonl").open() as file:
            assert sum(1 for _ in file) == last
    assert peaks[1] < peaks[0] * 1.1, f"peak resident bytes: {peaks}"
