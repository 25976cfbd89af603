"""What is read of a file for one batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from jobs.digests import total
from jobs.mentions import Mentions
from jobs.sources.record import BadRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.sources.record import Item, PostRecord, Record

BATCH_BYTES = 16 * 1024 * 1024
FEW = 100  # items at a time: their digests are made soon after they are read, which is a little faster


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
    mentions: Mentions | None = None
    """What its posts mention, if whoever reads was asked to find out."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.records) + len(self.refused)


def take_posts(items: Iterator[Item], how_many: int) -> Chunk:
    """Read the next chunk of posts, and find out what they mention."""
    chunk = take(items, how_many)
    return replace(chunk, mentions=Mentions.of(cast("Sequence[PostRecord]", chunk.records)))


def take(items: Iterator[Item], how_many: int) -> Chunk:
    """Read the next chunk: so many items, or fewer where they are large; none at the end."""
    records: list[Record] = []
    refused: list[BadRecord] = []
    end = size_bytes = digest = 0
    while size_bytes < BATCH_BYTES and (left := how_many - len(records) - len(refused)):
        some, few_bytes = _few(items, min(left, FEW), BATCH_BYTES - size_bytes)
        if not some:
            return Chunk(records, refused, end, digest, is_last=True)
        good = [item for item in some if not isinstance(item, BadRecord)]
        if len(good) < len(some):
            refused += [item for item in some if isinstance(item, BadRecord)]
        records += good
        digest += total(good)
        end = some[-1].end
        size_bytes += few_bytes
    return Chunk(records, refused, end, digest)


def _few(items: Iterator[Item], most: int, most_bytes: int) -> tuple[list[Item], int]:
    """Read so many items, or up to the one that brings them to so many bytes; give how many these are."""
    some: list[Item] = []
    size_bytes = 0
    for item in islice(items, most):
        some.append(item)
        size = item.end - item.offset
        size_bytes += size if size > 1 else len(item.raw)  # a row of Parquet has no length in bytes
        if size_bytes >= most_bytes:
            break
    return some, size_bytes
