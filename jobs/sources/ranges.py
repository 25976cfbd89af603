"""Where a file can be cut so that each piece is read without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.sources.extras import parquet_for
from jobs.sources.reading import source_of

if TYPE_CHECKING:
    from jobs.sources.layout import Layout


def boundaries(layout: Layout, parts: int) -> list[int]:
    """Give where each of about equal ranges of a file begins, the first at `layout.start`; at most `parts`.

    A range ends where the next begins, the last with the file. Reading each, with its begin as `start` and
    its end as `stop` of its layout, gives the very items of reading the whole.
    What is compressed is one range.

    Raises:
        OSError: the file cannot be read.

    """
    if layout.format == "parquet":
        begins: list[int] = parquet_for(layout.path).boundaries(layout, parts)
        return begins
    if layout.compression:
        return [layout.start]
    share = (layout.size - layout.start) / parts
    wanted = [layout.start + round(share * part) for part in range(1, parts)]
    with layout.path.open("rb") as stream:
        cuts = source_of(layout).cuts(stream, layout, [offset for offset in wanted if offset > layout.start])
        return sorted({layout.start, *(cut for cut in cuts if cut < layout.size)})
