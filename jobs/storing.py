"""Putting a chunk of a file into the tables, with its rejects, its counts and its digest, in one batch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jobs.digests import total
from jobs.sources.record import BadRecord, PostRecord
from jobs.writers.bisection import write_or_bisect
from jobs.writers.written import Written
from models.reject import Reject
from models.run_file import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.chunks import Chunk
    from jobs.context import Batch
    from jobs.sources.record import Record
    from jobs.writers.bisection import Write
    from models.run_file import RunFile


async def store(batch: Batch, file: RunFile, chunk: Chunk, write: Write) -> list[BadRecord]:
    """Write the records of a chunk, keep what cannot be loaded as rejects, and count both.

    Return what cannot be loaded.

    Raises:
        BatchConflictError: another transaction was first; the batch is to be tried again.

    """
    refused = await put(batch, file, chunk, write)
    batch.session.add_all(reject_of(file, bad) for bad in refused)
    return refused


async def put(
    batch: Batch, file: RunFile, chunk: Chunk, write: Write, *, skipped: int = 0
) -> list[BadRecord]:
    """Write the records of a chunk and count them, with those that were skipped; return what was refused.

    Raises:
        BatchConflictError: another transaction was first; the batch is to be tried again.

    """
    written, by_database = Written(), list[BadRecord]()
    if chunk.records:
        origin = Origin(file.site, file.id, file.root_id)
        written, by_database = await write_or_bisect(batch.session, origin, chunk.records, write)
    refused = [*chunk.refused, *by_database]
    places = {bad.offset for bad in by_database}
    left_out = [record for record in chunk.records if record.offset in places] if places else []
    batch.count(
        file.entity,
        records_read=len(chunk) + skipped,
        inserted=written.inserted,
        updated=written.updated,
        unchanged=written.unchanged,
        rejected=len(refused),
        skipped=skipped,
        repaired=sum(record.repairs for record in chunk.records),
        digest=chunk.digest - total(left_out),
    )
    if written.authors:
        _count_authors(batch, written.authors, [r for r in chunk.records if r.offset not in places])
    unknown = Counter(name for record in chunk.records for name in record.unknown)
    batch.unknown_fields[file.entity] = unknown
    return refused


def _count_authors(batch: Batch, written: Written, posts: Sequence[Record]) -> None:
    """Count the authors that posts carried as users; those of posts that were refused are none."""
    carried = [post.author for post in posts if isinstance(post, PostRecord) and post.author]
    batch.count(
        "users",
        records_read=written.read,
        inserted=written.inserted,
        updated=written.updated,
        unchanged=written.unchanged,
        skipped=written.skipped,
        digest=total(carried),
    )


def reject_of(file: RunFile, bad: BadRecord) -> Reject:
    """Make the row that keeps a record of a file that could not be loaded."""
    return Reject(
        run_id=file.run_id,
        entity=file.entity,
        source=file.path,
        file_number=file.number,
        position=bad.offset,
        next_position=bad.end,
        rule=bad.rule,
        reason=bad.reason,
        raw=bad.raw,
    )
