"""A worker killed in the middle of an export costs what stands behind the last checkpoint, and no more."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from jobs import export_rows
from jobs.requests import ExportRows
from models import State
from tests.chaos.settled import settled
from tests.factories import post, run_of, store
from tests.worker import killed_export
from worker.main import working

if TYPE_CHECKING:
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources

ROWS = 1_000
ROOT = Path(__file__).parents[2]


async def ask(resources: Resources, path: Path) -> UUID:
    return await resources.client.enqueue(ExportRows(entity="posts", path=str(path), format="csv"))


async def kill_in_the_middle(headrace: CommandLine) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.worker.killed_export", "worker"),
        env=headrace.environment | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_an_export_changes_no_byte_of_the_file(
    resources: Resources, headrace: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What compresses badly, so that the compressor keeps little back.
    random = Random(1)
    posts = [post(n, content=random.randbytes(200).hex(), tags=("a", f"t{n % 9}")) for n in range(ROWS)]
    await store(resources.database, *posts)
    run_id = await ask(resources, tmp_path / "killed.csv.gz")
    await kill_in_the_middle(headrace)
    killed = await run_of(resources, run_id)
    assert killed.state == State.RUNNING  # the ledger does not know yet
    assert killed.checkpoint is not None
    assert 0 < killed.checkpoint["rows"] < ROWS
    assert not (tmp_path / "killed.csv.gz").exists()

    monkeypatch.setattr(export_rows, "ROWS_PER_PARTITION", killed_export.ROWS_PER_PARTITION)
    monkeypatch.setattr(export_rows, "CHECKPOINT_BYTES", killed_export.CHECKPOINT_BYTES)
    calm_id = await ask(resources, tmp_path / "calm.csv.gz")
    async with working(resources):
        await settled(resources)
    run, calm = await run_of(resources, run_id), await run_of(resources, calm_id)
    assert (run.state, run.attempt, run.failures) == (State.SUCCEEDED, 2, 0)
    assert run.result == (calm.result or {}) | {"path": str(tmp_path / "killed.csv.gz"), "snapshots": 2}
    assert (tmp_path / "killed.csv.gz").read_bytes() == (tmp_path / "calm.csv.gz").read_bytes()
    assert list(tmp_path.glob(".headrace-*")) == []
