"""Several worker processes under one that only watches: it starts them, stops them, and replaces the dead."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from worker.rounds import over
from worker.termination import is_terminated

if TYPE_CHECKING:
    from asyncio.subprocess import Process

log = structlog.get_logger("headrace.supervisor")

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 30.0
STEADY_SECONDS = 60.0  # a process that lived so long is replaced as if it were the first that died
# Without the working folder on the path, where another package might have our name.
COMMAND = (sys.executable, "-P", "-m", "worker", "worker")


class ProcessError(Exception):
    """A worker process cannot be started, or did not end as it should."""


async def supervise(processes: int, *, burst: bool) -> None:
    """Keep so many worker processes at work until SIGTERM or SIGINT or, in a burst, until all have ended.

    Raises:
        ProcessError: one could not be started while no other worked, or ended badly when told to stop.

    """
    supervisor = Supervisor(burst)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    if is_terminated():
        supervisor.stop()
    await asyncio.gather(*map(supervisor.keep, range(processes)))
    if supervisor.complaint:
        raise ProcessError(supervisor.complaint)


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that runs, and our end of its lifeline."""

    process: Process
    line: socket.socket

    def let_go(self) -> None:
        """Have it stop when it has handed back its runs."""
        with suppress(OSError):  # it is gone
            self.line.shutdown(socket.SHUT_WR)

    def stop_at_once(self) -> None:
        """Have it interrupt its runs."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class _End:
    """Whether a process ever worked, and what it ended with: a status, a signal (negative), or an errno."""

    worked: bool
    code: int


@dataclass(slots=True)
class Supervisor:
    """Keeps a process at each of its places. The first starts alone: what keeps it from that is said once."""

    burst: bool
    complaint: str | None = None
    _children: dict[int, _Child] = field(default_factory=dict)
    _working: set[int] = field(default_factory=set)
    _begun: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Tell all processes to stop; asked twice, at once."""
        for child in self._children.values():
            if self._stopping.is_set():
                child.stop_at_once()
            else:
                child.let_go()
        self._stopping.set()
        self._begun.set()

    async def keep(self, place: int) -> None:
        """Keep a process at a place, replacing it when it ends without having been told to."""
        if place:
            await self._begun.wait()
        delay, has_worked = FIRST_DELAY_SECONDS, False
        while not self._stopping.is_set():
            began = time.monotonic()
            end = await self._run(place)
            has_worked |= end.worked
            if self._is_over(place, end, has_worked=has_worked):
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            log.warning("process.died", place=place, code=end.code, delay_seconds=delay)
            await over(self._stopping, delay)
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    def _is_over(self, place: int, end: _End, *, has_worked: bool) -> bool:
        """Tell whether no process is to follow one that has ended; a bad end is kept as the complaint."""
        if self._stopping.is_set() or (self.burst and not end.code):
            if end.worked and end.code:
                self.complaint = f"worker process {place} ended with {end.code}; see the lines above"
            return True
        # Services may be away just now, and those at work stay for them to come back: so does this place.
        if end.worked or (has_worked and self._working):
            return False
        self.complaint = f"worker process {place} did not start ({end.code}); see the lines above"
        self.stop()
        return True

    async def _run(self, place: int) -> _End:
        """Run one process to its end."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with ours, theirs:
            try:
                child = _Child(await self._start(place, theirs.fileno()), ours)
            except OSError as error:
                return _End(worked=False, code=error.errno or 1)
            theirs.close()
            return await self._watch(place, child)

    async def _start(self, place: int, line: int) -> Process:
        options = [f"--line={line}", f"--place={place}", *(["--burst"] if self.burst else [])]
        # In a group of its own, so that a Ctrl-C in the terminal reaches it only through us.
        return await asyncio.create_subprocess_exec(*COMMAND, *options, pass_fds=[line], process_group=0)

    async def _watch(self, place: int, child: _Child) -> _End:
        log.info("process.started", place=place, pid=child.process.pid)
        self._children[place] = child
        if self._stopping.is_set():
            child.let_go()
        worked = bool(await asyncio.get_running_loop().sock_recv(child.line, 1))
        if worked:
            self._working.add(place)
            self._begun.set()
        code = await child.process.wait()
        self._begun.set()
        del self._children[place]
        self._working.discard(place)
        return _End(worked, code)
