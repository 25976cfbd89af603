"""JSON Lines: one object a line, times in UTC as RFC 3339 has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.sinks.encoder import Columns


class JsonLines:
    """Writes an object with the same names for each row."""

    def __init__(self, names: Sequence[str]) -> None:
        self._encoder = msgspec.json.Encoder()
        # A structure has its names encoded beforehand, which a dictionary has not.
        self._line = msgspec.defstruct("Line", names, gc=False)

    def begin(self) -> bytes:
        """Give nothing."""
        return b""

    def encode(self, columns: Columns) -> bytes:
        """Give the lines of some rows."""
        # A list: of other iterables, msgspec 0.22 never lets the items go.
        return self._encoder.encode_lines(list(map(self._line, *columns.values())))

    def cut(self) -> bytes:
        """Give nothing: every line is complete."""
        return b""

    def end(self) -> bytes:
        """Give nothing."""
        return b""
