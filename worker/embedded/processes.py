"""The daemons as processes: found by pid file or by tag, stopped, waited for."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from signal import Signals

POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll until the condition holds; return False if it never did within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def of_pid_file(path: Path, *, name: str, tag: str) -> psutil.Process | None:
    """Return the live daemon a pid file names; None if it is gone or the number is another's by now."""
    try:
        process = psutil.Process(int(path.read_text(errors="replace").split("\n", 1)[0]))
    except (OSError, ValueError, OverflowError, psutil.Error):
        return None
    return process if _is(process, name, tag) else None


def tagged(*, name: str, tag: str) -> list[psutil.Process]:
    """Return every live process of that name which carries the tag in its command line."""
    return [process for process in psutil.process_iter() if _is(process, name, tag)]


def stop(processes: Sequence[psutil.Process], *steps: tuple[Signals, float]) -> bool:
    """Send each signal in turn, waiting its seconds, until all are gone; return whether they are."""
    for signal, seconds in steps:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal)
        if wait_until(lambda: not any(map(is_alive, processes)), seconds=seconds):
            return True
    return not processes


def is_alive(process: psutil.Process) -> bool:
    """Tell whether the process still runs; one that merely waits to be reaped does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is(process: psutil.Process, name: str, tag: str) -> bool:
    # Working folder and executable would say it more directly, but a root without CAP_SYS_PTRACE (as in
    # most containers) may not read them of PostgreSQL's user; command lines are open to everybody.
    try:
        return process.name() == name and tag in " ".join(process.cmdline()) and is_alive(process)
    except psutil.Error:
        return False
