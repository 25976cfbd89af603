"""Reading once more what a run has read: a file, or the list of records that its request carries."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobs.files import LISTED, layout_of, what_is_left
from jobs.rereading import item_of_value
from jobs.sources.opening import opened, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.sources.record import Item
    from models.run_file import RunFile


@contextmanager
def items_of(file: RunFile, request: Mapping[str, Any]) -> Iterator[Iterator[Item]]:
    """Open what a run with this request has read, and give its items from the first on.

    Raises:
        SourceError, OSError: it cannot be read any more.

    """
    layout = layout_of(file)
    if file.format == LISTED:
        yield (item_of_value(value, place, layout) for place, value in enumerate(request[file.entity]))
        return
    with opened(layout) as stream:
        yield read(stream, layout, layout.start)


def state_of(file: RunFile) -> str:
    """Tell what is left of a file; a list is as good as its run."""
    return "unchanged" if file.format == LISTED else what_is_left(file)
