"""What a writer answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Written:
    """Counts of records by what happened to their rows; those of posts' authors, if these came with them."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    """Records that were not written because a later one of the same batch has the same id."""
    authors: Written | None = None

    @property
    def read(self) -> int:
        """How many records it answers for."""
        return self.inserted + self.updated + self.unchanged + self.skipped

    def __add__(self, other: Written) -> Written:
        """Add up two calls."""
        return Written(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
            self.authors + other.authors if self.authors and other.authors else self.authors or other.authors,
        )
