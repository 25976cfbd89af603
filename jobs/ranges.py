"""The ranges of files that runs of their own load, on whichever worker."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from jobs.errors import SourceChangedError
from jobs.request_values import ByteRange
from jobs.sources.ranges import boundaries

if TYPE_CHECKING:
    from jobs.sources.layout import Layout

# A second's work. Of smaller ones more posts wait for parents that are being loaded at the same time, and
# each has few batches to make ready; of larger ones the last keeps one worker busy longer than the others.
RANGE_BYTES = 32 * 1024 * 1024
MOST_RANGES = 64


def ranges_of(layout: Layout) -> list[ByteRange]:
    """Cut a file into ranges of about the same size, of at most RANGE_BYTES if they are not too many.

    Raises:
        OSError: the file cannot be read.

    """
    mtime_ns = layout.path.stat().st_mtime_ns
    begins = boundaries(layout, max(1, min(ceil(layout.size / RANGE_BYTES), MOST_RANGES)))
    return [
        ByteRange(start=start, stop=stop, size=layout.size, mtime_ns=mtime_ns)
        for start, stop in pairwise([*begins, None])
    ]


def narrowed(layout: Layout, to: ByteRange) -> Layout:
    """Give the layout of a range of a file.

    Raises:
        SourceChangedError: the file is not the one that was cut.

    """
    if (layout.size, layout.path.stat().st_mtime_ns) != (to.size, to.mtime_ns):
        raise SourceChangedError
    return replace(layout, start=to.start, stop=to.stop)
