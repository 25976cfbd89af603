"""Programs that are measured: how long, with how much processor, and with how much memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.processes import BenchError, stop

if TYPE_CHECKING:
    import resource
    from collections.abc import AsyncIterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
LOOK_EVERY_SECONDS = 0.05
START_SECONDS = 60.0
LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program printed, and what it took from its start to its end."""

    out: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int


async def run(words: Sequence[object], variables: Mapping[str, str], folder: Path) -> Ran:
    """Run a program to its end.

    Raises:
        BenchError: it is missing, or it failed; the message has the end of what it said.

    """
    named = tuple(map(str, words))
    began = time.perf_counter()
    process = _start(named, environment(variables), folder)
    watching = asyncio.create_task(_watch(process.pid))
    try:
        status, usage, ended = await asyncio.to_thread(_wait, process.pid)
    except asyncio.CancelledError:
        process.kill()
        raise
    if process_status := os.waitstatus_to_exitcode(status):
        raise failure(f"{' '.join(named)} ended with {process_status}", folder / "log")
    return Ran((folder / "out").read_text(), ended - began, usage.ru_utime + usage.ru_stime, await watching)


def _start(words: Sequence[str], variables: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a program; not by asyncio, which would reap it before it can be asked what it took."""
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        try:
            return subprocess.Popen(words, stdout=out, stderr=log, env=variables, cwd=folder)
        except FileNotFoundError as error:
            raise BenchError(f"{words[0]} is not installed") from error


def _wait(pid: int) -> tuple[int, resource.struct_rusage, float]:
    _, status, usage = os.wait4(pid, 0)
    return status, usage, time.perf_counter()


async def _watch(pid: int) -> int:
    """Follow a process's largest resident memory; that of wait4 would begin with its parent's."""
    peak_bytes = 0
    while now_bytes := _peak_of(pid):
        peak_bytes = max(peak_bytes, now_bytes)
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return peak_bytes


def _peak_of(pid: int) -> int:
    """Tell a process's largest resident memory so far; nothing if it has ended."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of a program: ours without Headrace's settings, which stay at their defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def failure(what: str, log: Path) -> BenchError:
    """Say what happened, and what the program said last."""
    said = log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    return BenchError("\n  ".join([f"{what}; its log ends:", *said]))


@asynccontextmanager
async def started(
    words: Sequence[str], variables: Mapping[str, str], log: Path, *, sign: bytes, times: int
) -> AsyncIterator[psutil.Process]:
    """Keep a program running that has said its sign so many times.

    Raises:
        BenchError: it did not.

    """
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdout=file,
            stderr=file,
            env=environment(variables),
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while log.read_bytes().count(sign) < times:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        yield psutil.Process(process.pid)
    except TimeoutError:
        raise failure(f"{' '.join(words)} did not start", log) from None
    finally:
        await stop(process)


def cpu_seconds_of(process: psutil.Process) -> float:
    """Add up the processor time of a process, of its children, and of those that it has waited for."""
    return sum(map(_cpu_seconds, [process, *process.children(recursive=True)]))


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:4])
    return 0.0  # it ended just now, and its parent counts it
