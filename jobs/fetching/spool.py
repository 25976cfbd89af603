"""The folder under HEADRACE_HOME that keeps what was fetched, for as long as a run needs it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder for each run, in it one for each of its sources."""

    folder: Path

    def place(self, run_id: UUID, key: str) -> Path:
        """Give the folder of one source of a run, which only this user can enter; make it if need be."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        place = self.folder / str(run_id) / sha256(key.encode()).hexdigest()[:32]
        for folder in (place.parent, place):
            folder.mkdir(exist_ok=True, mode=PRIVATE)
        return place

    def runs(self) -> list[UUID]:
        """List the runs that have something here."""
        found = []
        with suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                with suppress(ValueError):  # a name of somebody else's
                    found.append(UUID(path.name))
        return found

    def remove(self, run_id: UUID) -> None:
        """Remove what was fetched for a run."""
        shutil.rmtree(self.folder / str(run_id), ignore_errors=True)
