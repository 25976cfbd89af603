"""Digests of what records say: of a whole table their sum, so that neither order nor batches matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.msgpack import Encoder
from xxhash import xxh3_64_intdigest

from jobs.sources.record import PostRecord, UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.sources.record import Record

_encode = Encoder().encode


def digest(*values: Any) -> int:
    """Give the 64-bit digest (XXH3) of the values of one record, in the order of `values_of`."""
    return xxh3_64_intdigest(_encode(values))


def total(records: Iterable[Record]) -> int:
    """Add up the digests of records."""
    return sum([digest(*values_of(record)) for record in records])


def shown(number: int) -> str:
    """Give a digest, or a sum of some, as it is shown: 16 hexadecimal digits."""
    return f"{number % 2**64:016x}"


def values_of(record: Record) -> tuple[Any, ...]:
    """Give what a record says, as far as it is kept, and nothing that follows from other rows."""
    if isinstance(record, PostRecord):
        return (
            record.external_id,
            record.author_external_id,
            record.author_name,
            record.parent_external_id,
            record.kind,
            record.title,
            record.content,
            record.score,
            record.created_at,
            sorted(record.tags),
        )
    if isinstance(record, UserRecord):
        return (record.external_id, record.name, record.email, record.reputation, record.created_at)
    return (record.name,)  # type: ignore[attr-defined]
