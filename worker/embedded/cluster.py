"""PostgreSQL's data folder: made in one piece, checked before use, freed of stale locks."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from worker.embedded.errors import DataOwnerError, DataVersionError
from worker.embedded.processes import is_alive
from worker.embedded.wheels import POSTGRES_MAJOR, postgres_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.embedded.home import Home

UNFINISHED = "postgres.unfinished-"
CREATE_DATABASE = b"CREATE DATABASE headrace;\n"
SAME_START_SECONDS = 60.0  # by which a process and the note it made of its start may differ


@dataclass(frozen=True, slots=True)
class Cluster:
    """The data folder of one home; `run` runs a program as the account that owns it, or raises."""

    home: Home
    run: Callable[[Sequence[str], bytes], None]

    def prepare(self, *, sync: bool) -> None:
        """Make the folder fit to start PostgreSQL on, creating it where it is missing.

        Raises:
            DataOwnerError: it belongs to another user.
            DataVersionError: it was made by another major version.

        """
        # A killed command's initdb may still write into its folder; what then stays goes with a later start.
        for leftover in self.home.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if not self.home.data.exists():
            self._create(sync=sync)
        self._check_owner()
        self._check_version()
        self._remove_stale_locks()

    def _create(self, *, sync: bool) -> None:
        # Whoever is killed in between leaves a folder of another name, which the next start removes.
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.home.folder))
        self.home.account.give(folder)
        where = ["-D", str(folder)]
        locale = ["-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        durability = [] if sync else ["--no-sync"]
        self.run(
            [postgres_program("initdb"), *where, "-U", "headrace", "-A", "trust", *locale, *durability], b""
        )
        self.run([postgres_program("postgres"), "--single", *where, "postgres"], CREATE_DATABASE)
        folder.rename(self.home.data)

    def _check_owner(self) -> None:
        owner = self.home.data.stat().st_uid
        if owner == self.home.account.uid:
            return
        if os.geteuid():
            raise DataOwnerError(data=self.home.data, owner=owner)
        self.home.account.give(self.home.data)  # a copy that root made

    def _check_version(self) -> None:
        found = (self.home.data / "PG_VERSION").read_text().strip()
        if found != POSTGRES_MAJOR:
            raise DataVersionError(data=self.home.data, found=found, own=POSTGRES_MAJOR)

    def _remove_stale_locks(self) -> None:
        # PostgreSQL itself sees that a process is gone, but takes whatever has its number for its own: one
        # that only waits to be reaped, or another one, as numbers start from 1 in a container started anew.
        if _is_held_by_another(self.home.data / "postmaster.pid"):
            (self.home.data / "postmaster.pid").unlink()
        for stale in self.home.sockets.glob(".s.PGSQL.*"):
            stale.unlink()


def _is_held_by_another(lock: Path) -> bool:
    with suppress(OSError, ValueError, psutil.Error):
        pid, _data, started = lock.read_text(errors="replace").split("\n")[:3]
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(started)) < SAME_START_SECONDS
        return not (is_same and process.name() == "postgres" and is_alive(process))
    return False
