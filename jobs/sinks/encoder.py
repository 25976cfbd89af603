"""What turns rows into the bytes of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Columns = Mapping[str, Sequence[Any]]


class Encoder(Protocol):
    """Writes one file, from its first byte or from where another encoder of its kind has cut it.

    Rows come column by column, in the order of the names the encoder was made for.
    """

    def begin(self) -> bytes:
        """Give what stands before the first row; not called for a file that is gone on with."""
        ...

    def encode(self, columns: Columns) -> bytes:
        """Give what more of the file there is with some more rows; it may keep some back."""
        ...

    def cut(self) -> bytes | None:
        """End what is open, so that another encoder can go on behind it; None if none can."""
        ...

    def end(self) -> bytes:
        """Give the rest of the file."""
        ...
