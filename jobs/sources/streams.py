"""The bytes of a file, plain or compressed, as readers want them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from jobs.sources.extras import parquet_for
from jobs.sources.prolog import check_end
from jobs.sources.unpacking import Unpacked
from jobs.sources.window import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from jobs.sources.bounds import Bounds
    from jobs.sources.layout import Layout


class Plain:
    """A file as it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek = file.seek
        self.read = file.read

    def bytes_done(self, offset: int) -> int:
        """Say how many bytes are before `offset`."""
        return offset


# What `read` reads. Each says how many of the file's bytes on disk are behind a reader that is at an offset.
Opened: TypeAlias = Plain | Unpacked | Table


@contextmanager
def opened(layout: Layout, bounds: Bounds | None = None) -> Iterator[Opened]:
    """Open a file for `read`; when it is left, say if its end is not what it should be.

    So every record before such an end can be kept first. What is compressed unpacks within the `bounds`.

    Raises:
        BrokenStreamError: the compressed file is damaged or cut off.
        TruncatedDumpError: the dump inside a compressed file was cut off before it was compressed.
        OSError: the file cannot be read.

    """
    if layout.format == "parquet":
        with parquet_for(layout.path).opened_table(layout) as table:
            yield table
        return
    with layout.path.open("rb") as file:
        if layout.compression is None:
            yield Plain(file)
            return
        stream = Unpacked(file, layout.path, layout.compression, bounds)
        yield stream
        stream.check()
        if stream.ended and layout.format == "stackexchange":
            check_end(layout, stream.tail, stream.offset)
