"""What is read of a file for one batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from jobs.digests import total
from jobs.mentions import Mentions
from jobs.sources.record import BadRecord
from jobs.writers.post_rows import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.sources.record import Item, PostRecord, Record
    from jobs.writers.memory import Memory

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
    """What its posts mention, where they are expected to be new."""
    lines: list[bytes] = field(default_factory=list)
    """What its posts say, as one value to be taken once, where rows are expected to say the same."""

    def __len__(self) -> int:
        """Count the items."""
        return len(self.records) + len(self.refused)


def take_posts(items: Iterator[Item], how_many: int, memory: Memory) -> Chunk:
    """Read the next chunk of posts, and find out what will be asked of the database about them."""
    chunk = take(items, how_many)
    records = cast("Sequence[PostRecord]", chunk.records)
    if memory.expects_new is not False:
        return replace(chunk, mentions=Mentions.of(records))
    names = {name for record in records for name in record.tags}
    tags = memory.tags.among(names)
    # A tag that got another key meanwhile makes rows look different, and these are read then.
    return replace(chunk, lines=[lines_of(records, tags)]) if len(tags) == len(names) else chunk


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
