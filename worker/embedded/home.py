"""HEADRACE_HOME on disk, and the short private folder its sockets live in."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.embedded.account import Account
from worker.embedded.errors import HomeUnusableError, SocketFolderError

if TYPE_CHECKING:
    from os import PathLike

SOCKET_PATH_MAX_BYTES = 103  # of sun_path: 104 on macOS and 108 on Linux, both with the closing zero
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one home, absolute.

    The tag is made of the folder's identity, not of its name: it follows a renamed home, and is another
    one for a copy. The daemons carry it in their command lines.
    """

    folder: Path
    tag: str
    sockets: Path
    account: Account

    @classmethod
    def find(cls, folder: Path) -> Home | None:
        """Return the home if it exists and its services were started; nothing is made."""
        folder = folder.resolve()
        try:
            tag = _tag(folder)
            sockets = _recorded(folder, tag)
            return cls(folder, tag, sockets, _account(folder)) if sockets else None
        except OSError:
            return None

    @classmethod
    def at(cls, folder: Path) -> Home:
        """Return the home of an existing, resolved folder.

        Raises:
            SocketFolderError: no place is short enough for its sockets.

        """
        tag = _tag(folder)
        return cls(folder, tag, _recorded(folder, tag) or _place(tag), _account(folder))

    def exists(self) -> bool:
        """Tell whether the folder is still there, and still the same one."""
        try:
            return _tag(self.folder) == self.tag
        except OSError:
            return False

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "postgres"

    def make_sockets(self) -> None:
        """Make the folder for the sockets, open to one user, and note its place for commands to come.

        Raises:
            SocketFolderError: what stands there is not such a folder.

        """
        with suppress(FileExistsError):
            self.sockets.mkdir(mode=0o700)
        about = self.sockets.lstat()
        if about.st_uid == os.geteuid() != self.account.uid:
            self.account.give(self.sockets)
            about = self.sockets.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != self.account.uid or about.st_mode & 0o077:
            raise SocketFolderError(folder=self.sockets, reason="not a private folder of ours")
        note = self.folder / "sockets"
        if not note.is_symlink() or note.readlink() != self.sockets:
            note.unlink(missing_ok=True)
            note.symlink_to(self.sockets)

    def remove_sockets(self) -> None:
        """Remove the folder for the sockets and the note of it."""
        shutil.rmtree(self.sockets, ignore_errors=True)
        note = self.folder / "sockets"
        with suppress(OSError):
            if note.readlink() == self.sockets:  # a home made anew has a note of its own
                note.unlink()


def make_folder(folder: Path) -> Path:
    """Make a home's folder where it is missing, and return it resolved.

    Raises:
        HomeUnusableError: it cannot be made or written to.

    """
    try:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnusableError(home=folder, reason=error.strerror) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise HomeUnusableError(home=folder, reason="Permission denied")
    return folder


def _tag(folder: Path) -> str:
    about = folder.stat()
    return "headrace-" + hashlib.sha256(f"{about.st_dev}:{about.st_ino}".encode()).hexdigest()[:16]


def _account(folder: Path) -> Account:
    return Account.for_folders(folder / "postgres", folder)


def _recorded(folder: Path, tag: str) -> Path | None:
    # TMPDIR may differ between two commands of one home; the first to start the services has decided.
    with suppress(OSError):
        noted = (folder / "sockets").readlink()
        return noted if noted.name == tag and noted.is_dir() else None
    return None


def _place(tag: str) -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder made in it is private
        if _fits(Path(parent, tag, LONGEST_SOCKET_NAME)):
            return Path(parent, tag)
    raise SocketFolderError(folder=tempfile.gettempdir(), reason="its path is too long")


def _fits(path: PathLike[str]) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX_BYTES
