"""A process that stands still at a fail point, and what a test does to it there."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.caught_process import REACHED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.chaos.fail_points import FailPoint
    from tests.conftest import CommandLine

ROOT = Path(__file__).parents[2]
REACHED_SECONDS = 120.0
ENDS_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Caught:
    """The process; `log` is what it wrote to standard error."""

    process: asyncio.subprocess.Process
    log: Path

    async def reach(self, point: FailPoint) -> None:
        """Wait until it stands still at the fail point; a case that never gets there fails."""
        line = b"nothing"
        with suppress(TimeoutError):
            async with asyncio.timeout(REACHED_SECONDS):
                line = await self._out.readline()
        assert line == REACHED, f"{point.name} was never reached: {line!r}\n{self.log.read_text()}"

    def release(self) -> None:
        """Let it go on from the fail point."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go on\n")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def end(self) -> int:
        """Have it end, if it has not yet, and return its exit code."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.send(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended and return its exit code; one that hangs fails the case."""
        async with asyncio.timeout(ENDS_SECONDS):
            await self._out.read()
            return await self.process.wait()

    @property
    def _out(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout


@asynccontextmanager
async def caught(point: FailPoint, headrace: CommandLine, *command: str) -> AsyncIterator[Caught]:
    """Run a command until it is caught at a fail point; it is gone when the block ends."""
    log = headrace.folder / "caught.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.caught_process", point.name, *command),
            env=headrace.environment | {"PYTHONPATH": str(ROOT)},
            cwd=headrace.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    held = Caught(process, log)
    try:
        await held.reach(point)
        yield held
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await held.ended()
