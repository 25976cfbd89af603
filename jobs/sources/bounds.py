"""How much a compressed file may unpack to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.sources.errors import BombError

if TYPE_CHECKING:
    from pathlib import Path

FREE_BYTES = 64 * 2**20
"""What any file may unpack to, however small it is."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes in all, and bytes for each packed one beyond the first 64 MiB."""

    most_bytes: int = 256 * 2**30
    ratio: float = 250.0

    def check(self, path: Path, packed: int, unpacked: int) -> None:
        """Look at how much has come out of so many packed bytes.

        Raises:
            BombError: it is too much.

        """
        if unpacked > self.most_bytes:
            problem = f"unpacks to more than {self.most_bytes:,} bytes"
            raise BombError(
                path, problem, "HEADRACE_DECOMPRESSED_BYTES allows more, if it is what it should be"
            )
        if unpacked > FREE_BYTES and unpacked > packed * self.ratio:
            problem = f"unpacks to more than {self.ratio:g} times its size"
            raise BombError(
                path, problem, "HEADRACE_DECOMPRESSED_RATIO allows more, if it is what it should be"
            )
