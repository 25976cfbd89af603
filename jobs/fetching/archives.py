"""7z archives, told by their first bytes; what unpacks them is an extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from jobs.sources.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.fetching.threads import Ending
    from jobs.sources.bounds import Bounds

FIRST_BYTES = b"7z\xbc\xaf\x27\x1c"


class Member(NamedTuple):
    """A file that was in an archive: where it is now, and what it was called there."""

    path: Path
    name: str


def is_archive(path: Path) -> bool:
    """Tell a 7z archive by its first bytes; what cannot be read is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(FIRST_BYTES)) == FIRST_BYTES
    except (OSError, ValueError):
        return False


def unpack(archive: Path, to: Path, bounds: Bounds, ending: Ending) -> list[Member]:
    """Unpack the Users, Tags and Posts files of an archive into a folder, or its only file.

    Raises:
        SourceError: it cannot be read, holds no such files or two of one kind, or unpacks to too much.
        EndedError: nobody waits for it any more.

    """
    try:
        library = import_module("jobs.fetching.sevenzip")
    except ModuleNotFoundError as error:
        problem = f"is read by the package {error.name}, which is not installed"
        raise MissingExtraError(archive, problem, "install headrace[7z]") from error
    members: list[Member] = library.unpack(archive, to, bounds, ending)
    return members
