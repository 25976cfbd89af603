"""The ranges of files that runs of their own load, on whichever worker."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from jobs.errors import SourceChangedError
from jobs.request_values import ByteRange
from jobs.sources.ranges import boundaries

if TYPE_CHECKING:
    from jobs.sources.layout import Layout

# A quarter of a second's work or more, against the hundredth that a run costs. They are that small so that
# workers end at about the same time: one may take several ranges at once while another finds none.
LEAST_BYTES = 8 * 1024 * 1024
MOST_RANGES = 64


def ranges_of(layout: Layout) -> list[ByteRange]:
    """Cut a file into ranges of about the same size; a small one is a single range.

    Raises:
        OSError: the file cannot be read.

    """
    mtime_ns = layout.path.stat().st_mtime_ns
    begins = boundaries(layout, max(1, min(layout.size // LEAST_BYTES, MOST_RANGES)))
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
