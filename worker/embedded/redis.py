"""The embedded Redis: one server in the home, reached by a socket alone; its queue outlives a stop."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis import Redis as Client
from redis.exceptions import RedisError

from worker.embedded import processes
from worker.embedded.errors import StartError, StopError
from worker.embedded.log import complaint, size
from worker.embedded.wheels import redis_server

if TYPE_CHECKING:
    from pathlib import Path

    import psutil

    from worker.embedded.home import Home

START_SECONDS = 60.0  # it may have a dump to load
ANSWER_SECONDS = 5.0
SAVE_AFTER = ("60", "1")  # seconds, changes: what a kill may cost
SAVE_AND_END, KILL = (signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0)


@dataclass(frozen=True, slots=True)
class Redis:
    """Redis of one home."""

    home: Home

    @property
    def url(self) -> str:
        """The Redis URL, as arq understands it."""
        return f"unix://{self.socket}"

    @property
    def socket(self) -> Path:
        """The socket."""
        return self.home.sockets / "redis.sock"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.home.folder / "redis.log"

    def answers(self) -> bool:
        """Tell whether it serves, which it does not while it loads its dump."""
        if self._server() is None:
            return False
        with suppress(RedisError), closing(self._client()) as client:
            return bool(client.ping())
        return False

    def ensure(self) -> None:
        """Have it answer: join the one that runs, wait for one that starts, or start it.

        Raises:
            EmbeddedError: it cannot be started; the message says why.

        """
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise self._failure(f"no answer for {START_SECONDS:.0f} s")
            if self._server() is None or not self.socket.exists():
                self.stop()
                self._start()
            time.sleep(processes.POLL_SECONDS)

    def stop(self) -> None:
        """Save the queue to the dump file, stop it and wait until it is gone.

        Raises:
            StopError: a process outlived even a kill.

        """
        # One that is not noted in the home has no home to save to: it was deleted, or made anew.
        steps = (KILL,) if self._server() is None else (SAVE_AND_END, KILL)
        servers = processes.tagged(name="redis-server", tag=self.home.tag)
        if not processes.stop(servers, *steps):
            raise StopError(service="Redis", pids=[server.pid for server in servers], log=self.log)

    def _server(self) -> psutil.Process | None:
        return processes.of_pid_file(self.home.folder / "redis.pid", name="redis-server", tag=self.home.tag)

    def _client(self) -> Client:
        return Client(unix_socket_path=str(self.socket), socket_timeout=ANSWER_SECONDS)

    def _start(self) -> None:
        began = size(self.log)
        with self.log.open("ab") as log:
            subprocess.run(  # noqa: S603 - the command is ours
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                check=False,
            )
        processes.wait_until(lambda: self.answers() or not self._is_there(), seconds=START_SECONDS)
        if not self._is_there():
            raise self._failure(complaint(self.log, since=began))

    def _is_there(self) -> bool:
        return bool(processes.tagged(name="redis-server", tag=self.home.tag))

    def _command(self) -> list[str]:
        settings = {
            "daemonize": ["yes"],
            "port": ["0"],
            "unixsocket": [str(self.socket)],
            "unixsocketperm": ["700"],
            "dir": [str(self.home.folder)],
            "dbfilename": ["redis.rdb"],
            "logfile": [str(self.log)],
            "pidfile": [str(self.home.folder / "redis.pid")],
            "save": [*SAVE_AFTER],
            # The database is the truth; a full disk must not also make the doorbell refuse to ring.
            "stop-writes-on-bgsave-error": ["no"],
        }
        return [
            redis_server(),
            *(part for name, values in settings.items() for part in (f"--{name}", *values)),
        ]

    def _failure(self, reason: str) -> StartError:
        return StartError(service="Redis", reason=reason, log=self.log, setting="REDIS_URL")
