"""What a writer answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Written:
    """Counts of records by what happened to their rows."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Written) -> Written:
        """Add up two calls."""
        return Written(
            self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged
        )
