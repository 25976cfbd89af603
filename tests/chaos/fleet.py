"""Worker processes that are replaced as soon as they end, as a process manager does it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import CommandLine

LOOK_SECONDS = 0.05
ENDS_SECONDS = 120.0


@dataclass(slots=True)
class Fleet:
    """So many workers at a time, each of which logs into a file of its own."""

    headrace: CommandLine
    size: int
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ended: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Keep the workers; in the end tell them to stop, and see that none ended otherwise than it was told.

        Only one that was just starting may have ended because a service was away.
        """
        self.logs.mkdir()
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await asyncio.to_thread(self._stop)
        died = [self._log(process).read_text() for process in self.ended if process.returncode > 0]
        assert [log for log in died if "worker.started" in log] == []

    @property
    def started(self) -> int:
        """How many workers there were in all."""
        return len({process.pid for process in (*self.ended, *self.processes)})

    def worker(self, name: str) -> psutil.Process | None:
        """Find the live process of a worker by its name in the ledger."""
        with suppress(psutil.NoSuchProcess):
            pid = int(name.rpartition(":")[2])
            if pid in {process.pid for process in self.processes if process.poll() is None}:
                return psutil.Process(pid)
        return None

    def others(self, name: str) -> list[psutil.Process]:
        """List the live processes of all workers but one."""
        pids = [process.pid for process in self.processes if process.poll() is None]
        return [psutil.Process(pid) for pid in pids if not name.endswith(f":{pid}")]

    async def _keep(self) -> None:
        while True:
            self.ended += [process for process in self.processes if process.poll() is not None]
            self.processes = [process for process in self.processes if process not in self.ended]
            while len(self.processes) < self.size:
                self.processes.append(self._start())
            await asyncio.sleep(LOOK_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        unnamed = self.logs / "starting"
        with unnamed.open("wb") as log:
            process = subprocess.Popen(
                self.headrace.command("worker"),
                env=self.headrace.environment,
                cwd=self.headrace.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        unnamed.rename(self._log(process))
        return process

    def _log(self, process: subprocess.Popen[bytes]) -> Path:
        return self.logs / f"{process.pid}.log"

    def _stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            for process in self.processes:
                process.wait(ENDS_SECONDS)
        finally:
            for process in self.processes:
                process.kill()
                process.wait()
        self.ended += self.processes
