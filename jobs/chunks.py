"""What is read of a file for one batch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from jobs.digests import total
from jobs.sources.record import BadRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.sources.record import Item, Record

BATCH_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items that follow one another, as records and what could not be made one, and the records' digest."""

    records: Sequence[Record]
    refused: Sequence[BadRecord]
    end: int
    """Where reading goes on."""
    digest: int
    is_last: bool = False
    """Whether nothing follows; it may not be known yet of a chunk that is full."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.records) + len(self.refused)


def take(items: Iterator[Item], how_many: int) -> Chunk:
    """Read the next chunk: so many items, or fewer where they are large; none at the end."""
    records: list[Record] = []
    refused: list[BadRecord] = []
    end = size_bytes = 0
    for item in islice(items, how_many):
        if isinstance(item, BadRecord):
            refused.append(item)
        else:
            records.append(item)
        end = item.end
        size_bytes += max(end - item.offset, len(item.raw))  # a row of Parquet has no length in bytes
        if size_bytes >= BATCH_BYTES:
            break
    else:
        return Chunk(records, refused, end, total(records), is_last=len(records) + len(refused) < how_many)
    return Chunk(records, refused, end, total(records))
