"""The two processes of a queue: its worker, and the producer that asks for jobs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.environments import python_of
from bench.marks import FILE_VARIABLE, count_marks
from bench.producer import SLOTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bench.peers import Peer

ROOT = Path(__file__).parent.parent
LOOK_EVERY_SECONDS = 0.02
LONGEST_SECONDS = 300.0
STOP_SECONDS = 5.0


class BenchError(Exception):
    """A queue did not do what it was started for."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a queue plays: its services, by their variables, and a folder for its marks and logs."""

    peer: Peer
    services: Mapping[str, str]
    folder: Path

    @property
    def marks(self) -> Path:
        """The file in which its jobs note themselves."""
        return self.folder / "marks"

    @property
    def log(self) -> Path:
        """What its worker says."""
        return self.folder / "worker.log"

    async def ask(self, *words: object) -> Any:
        """Run the producer's process; return what it printed last, read as JSON."""
        asking = ("bench.ask", self.peer.module, *map(str, words))
        async with self._running(*asking, stdout=subprocess.PIPE) as process:
            out, _ = await process.communicate()
        if process.returncode:
            raise self._failure(f"its producer failed ({words[0]})")
        return json.loads(out.splitlines()[-1])

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Keep a worker running."""
        async with self._running(*self.peer.worker, stdout=None):
            yield

    async def wait_for(self, jobs: int) -> None:
        """Wait until so many jobs have ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                while count_marks(self.marks) < jobs:
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
                return
        raise self._failure(f"{count_marks(self.marks)} of {jobs} jobs after {LONGEST_SECONDS:.0f} s")

    @asynccontextmanager
    async def _running(self, *words: str, stdout: int | None) -> AsyncIterator[asyncio.subprocess.Process]:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                python_of(self.peer),
                "-m",
                *words,
                cwd=ROOT,
                env=self._variables(),
                stdout=stdout or log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            await stop(process)

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        ours = {
            "PYTHONPATH": str(ROOT),
            FILE_VARIABLE: str(self.marks),
            "HEADRACE_CONCURRENCY": str(SLOTS),
        }
        return {**kept, **ours, **self.services}

    def _failure(self, what: str) -> BenchError:
        said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        return BenchError("\n  ".join([f"{self.peer.title}: {what}; its log ends:", *said]))


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to stop; end what is left of its group."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
