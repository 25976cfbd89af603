"""The user PostgreSQL runs as: our own, or another if we are root, whom PostgreSQL refuses."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.embedded.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

NOBODY = 65534  # the number where the name is unknown


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its group, by number."""

    uid: int
    gid: int

    @classmethod
    def for_folders(cls, *folders: Path) -> Account:
        """Choose our own user; for root the first owner of the folders that is not root, else nobody."""
        if os.geteuid():
            return cls(os.geteuid(), os.getegid())
        owners = (folder.stat() for folder in folders if folder.exists())
        found = next((owner for owner in owners if owner.st_uid), None)
        return cls(found.st_uid, found.st_gid) if found else cls._nobody()

    @classmethod
    def _nobody(cls) -> Account:
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            return cls(NOBODY, NOBODY)
        return cls(entry.pw_uid, entry.pw_gid)

    def give(self, folder: Path) -> None:
        """Make the account the owner of a folder and all in it."""
        if self.uid != os.geteuid():
            for path in _tree(folder):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def run(self, command: Sequence[str], log: IO[bytes], **how: Any) -> int:
        """Run a command in `cwd` as this account, its output into the log, and return its exit status.

        The command gets its own session, so that a Ctrl-C in our terminal does not reach it, and none of
        our pipes, so that whoever reads our output sees its end when we end.

        Raises:
            AccountError: we are root, have no usable setpriv, and the account may not enter a folder.
            subprocess.TimeoutExpired: it took longer than `timeout` seconds.

        """
        become: dict[str, Any] = {}
        if self.uid != os.geteuid():
            prefix = self._setpriv()
            if not _succeeds([*prefix, command[0], "--version"]):
                self._check_reach(Path(command[0]), Path(how["cwd"]))
                prefix, become = [], {"user": self.uid, "group": self.gid, "extra_groups": []}
            command = [*prefix, *command]
        return subprocess.run(  # noqa: S603 - the commands are ours
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            **become,
            **how,
        ).returncode

    def _setpriv(self) -> list[str]:
        # The capability lets PostgreSQL reach a home inside folders closed to its user (a 0700 /root),
        # so that no mode of a folder above the home has to be changed.
        who = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        may = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
        return ["setpriv", *who, *may, "--"]

    def _check_reach(self, *paths: Path) -> None:
        for path in paths:
            for folder in (path, *path.parents):
                about = folder.stat()
                if about.st_uid != self.uid and not about.st_mode & 0o001:
                    raise AccountError(uid=self.uid, path=folder)


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603 - ours
    except OSError:
        return False


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in (*folders, *files))
