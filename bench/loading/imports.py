"""What Headrace does with the posts' files, in one process and in two."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bench.loading.posts import SITE
from bench.loading.running import cpu_seconds_of, started
from bench.loading.stage import Took, with_seconds
from bench.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from bench.loading.stage import Stage

HEADRACE = (sys.executable, "-m", "worker")
COPY, ADD_ALL = "copy", "add_all"
STARTED = b"worker.started"


def loading(
    figure: str, writer: str, *, processes: int = 1
) -> Callable[[Stage], Awaitable[Mapping[str, Took]]]:
    """Make a scene that imports JSON Lines."""

    async def load(stage: Stage) -> Mapping[str, Took]:
        path = stage.files.jsonl(stage.posts)
        took = await (
            import_(stage, path, writer) if processes == 1 else _split(stage, path, writer, processes)
        )
        await stage.check_whole()
        return {figure: took}

    return load


async def load_twice(stage: Stage) -> Mapping[str, Took]:
    """Import JSON Lines, and then the same file again."""
    path = stage.files.jsonl(stage.posts)
    first = await import_(stage, path, COPY)
    again = await import_(stage, path, COPY, outcome="unchanged")
    await stage.check_whole()
    return {"copy": first, "again": again}


async def load_xml(stage: Stage) -> Mapping[str, Took]:
    """Import Stack Exchange XML."""
    took = await import_(stage, stage.files.xml(stage.posts), COPY)
    await stage.check_whole()
    return {"xml": took}


async def import_(
    stage: Stage, path: Path, writer: str, *, outcome: str = "inserted", under: Sequence[object] = ()
) -> Took:
    """Import a file by a command that has a worker inside; its work is the run of the import.

    The command can be run under another, such as a profiler.
    """
    asked = (*under, *HEADRACE, "import", path, "--site", SITE, "--entity", "posts", "--writer", writer)
    took, ran = await stage.timed(*asked, "--wait", "--with-worker", "--json")
    return with_seconds(took, _seconds_in(ran.out, stage.posts, outcome))


def _seconds_in(receipt: str, posts: int, outcome: str) -> float:
    """Read the seconds of a receipt whose posts all have one outcome."""
    # Whoever runs the command may print before it and after it.
    counts = json.loads(receipt[receipt.index("{") : receipt.rindex("}") + 1])
    if counts[outcome] != posts or counts["read"] != posts:
        raise BenchError(f"not all {posts:,} posts are {outcome}: {receipt}")
    return float(counts["seconds"])


async def _split(stage: Stage, path: Path, writer: str, processes: int) -> Took:
    """Import a file by several worker processes that are waiting for it."""
    asked = (*HEADRACE, "import", path, "--site", SITE, "--writer", writer, "--split", "--wait", "--json")
    worker = (*HEADRACE, "worker", "--processes", str(processes))
    log = stage.folder / "worker.log"
    async with started(worker, stage.variables, log, sign=STARTED, times=processes) as workers:
        before = cpu_seconds_of(workers)
        took, ran = await stage.timed(*asked)
        of_workers = cpu_seconds_of(workers) - before
    seconds = _seconds_in(ran.out, stage.posts, "inserted")
    return Took(seconds, took.command_seconds, took.cpu_seconds + of_workers, took.server_cpu_seconds)
