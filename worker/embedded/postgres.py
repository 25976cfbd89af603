"""The embedded PostgreSQL: one server in the home, reached by a socket alone."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from worker.embedded import processes
from worker.embedded.cluster import Cluster
from worker.embedded.errors import StartError, StopError
from worker.embedded.log import complaint, size
from worker.embedded.wheels import postgres_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psutil

    from worker.embedded.home import Home

PORT = "5432"  # names the socket; no TCP port is opened
START_SECONDS = 120.0  # it may have to recover from a crash
RUN_SECONDS = START_SECONDS + 10.0  # pg_ctl gives up by itself before
FAST, IMMEDIATE, KILL = (signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)


@dataclass(frozen=True, slots=True)
class Postgres:
    """PostgreSQL of one home, with further settings by name for when it is started here."""

    home: Home
    options: Mapping[str, str]

    @property
    def url(self) -> str:
        """The database URL for SQLAlchemy."""
        return f"postgresql+asyncpg://headrace@/headrace?host={quote(str(self.home.sockets))}&port={PORT}"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.home.folder / "postgres.log"

    def answers(self) -> bool:
        """Tell whether it accepts connections."""
        if self._postmaster() is None:
            return False
        where = ["-h", str(self.home.sockets), "-p", PORT, "-U", "headrace", "-d", "headrace"]
        command = [postgres_program("pg_isready"), "-q", *where]
        asked = subprocess.run(command, env=_environment(), capture_output=True, check=False)  # noqa: S603 - ours
        return asked.returncode == 0

    def ensure(self) -> None:
        """Have it answer: join the one that runs, wait for one that starts or stops, or start it.

        Raises:
            EmbeddedError: it cannot be started; the message says why.

        """
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise self._failure(f"no answer for {START_SECONDS:.0f} s")
            if self._postmaster() is None:
                self._start()
            elif self._is_cut_off():
                self.stop()
            time.sleep(processes.POLL_SECONDS)

    def stop(self) -> None:
        """Stop it and wait until it is gone; what a fast shutdown does not end is ended harder.

        Raises:
            StopError: a process outlived even that.

        """
        postmaster = self._postmaster()
        if postmaster is not None:
            processes.stop([postmaster], FAST, IMMEDIATE, KILL)
        self._end_strays()

    def _postmaster(self) -> psutil.Process | None:
        return processes.of_pid_file(self.home.data / "postmaster.pid", name="postgres", tag=self.home.tag)

    def _is_cut_off(self) -> bool:
        """Tell whether it runs but nobody can enter, as when the temporary folder was cleaned."""
        with suppress(FileNotFoundError):
            status = (self.home.data / "postmaster.pid").read_text(errors="replace").split("\n")[7:8]
            return status == ["ready   "] and not (self.home.sockets / f".s.PGSQL.{PORT}").exists()
        return False

    def _end_strays(self) -> None:
        """End what a killed postmaster or a deleted home left: it would hold the data or the socket."""
        strays = processes.tagged(name="postgres", tag=self.home.tag)
        if not processes.stop(strays, IMMEDIATE, KILL):
            raise StopError(service="PostgreSQL", pids=[stray.pid for stray in strays], log=self.log)

    def _start(self) -> None:
        self._end_strays()
        Cluster(self.home, self._run).prepare(sync=self.options.get("fsync") != "off")
        command = [postgres_program("pg_ctl"), "start", "-w", "-t", f"{START_SECONDS:.0f}"]
        try:
            self._run([*command, "-o", self._options()])
        except StartError:
            if self._postmaster() is None:
                raise

    def _options(self) -> str:
        ours = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": '"' + str(self.home.sockets).replace('"', '""') + '"',
            "cluster_name": self.home.tag,  # puts the tag into the titles of its children
        }
        settings = [part for item in {**self.options, **ours}.items() for part in ("-c", "=".join(item))]
        return shlex.join(["-D", str(self.home.data), *settings])

    def _run(self, command: Sequence[str], text: bytes = b"") -> None:
        """Run one of PostgreSQL's programs as the account, its output into the log."""
        began = size(self.log)
        environment = {**_environment(), "PGDATA": str(self.home.data)}
        how: dict[str, Any] = {"input": text, "env": environment, "cwd": self.home.folder}
        try:
            with self.log.open("ab") as log:
                status = self.home.account.run(command, log, **how, timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise self._failure(f"{Path(command[0]).name} took over {RUN_SECONDS:.0f} s") from error
        if status:
            raise self._failure(complaint(self.log, since=began))

    def _failure(self, reason: str) -> StartError:
        return StartError(service="PostgreSQL", reason=reason, log=self.log, setting="DATABASE_URL")


def _environment() -> dict[str, str]:
    # PGPORT, PGOPTIONS and their like are meant for other servers.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
