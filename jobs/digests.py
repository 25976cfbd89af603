"""Digests of what records say: of a whole table their sum, so that neither order nor batches matter."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec.msgpack import Encoder
from xxhash import xxh3_64_intdigest

from jobs.columns import COLUMNS
from jobs.sources.record import PostRecord, TagRecord, UserRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jobs.sources.record import Record

_encode = Encoder().encode
# COLUMNS are in the order that digests have; tests hold it, as receipts keep digests.
_of_post, _of_user = attrgetter(*COLUMNS["posts"]), attrgetter(*COLUMNS["users"])


def digest(*values: Any) -> int:
    """Give the 64-bit digest (XXH3) of the values of one record, in the order of `values_of`."""
    return xxh3_64_intdigest(_encode(values))


def total(records: Iterable[Record]) -> int:
    """Add up the digests of records."""
    return sum(
        sum(map(xxh3_64_intdigest, map(_encode, VALUES[kind](some)))) for kind, some in groupby(records, type)
    )


def shown(number: int) -> str:
    """Give a digest, or a sum of some, as it is shown: 16 hexadecimal digits."""
    return f"{number % 2**64:016x}"


def values_of(record: Record) -> tuple[Any, ...]:
    """Give what a record says, as far as it is kept, and nothing that follows from other rows."""
    (values,) = VALUES[type(record)]([record])
    return values


def _of_posts(records: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for values in map(_of_post, records):
        yield values if len(values[-1]) <= 1 else (*values[:-1], sorted(values[-1]))


# How the values of many records of a type are given: asking many at a time costs half of asking each.
VALUES: dict[type[Record], Callable[[Iterable[Any]], Iterable[tuple[Any, ...]]]] = {
    PostRecord: _of_posts,
    UserRecord: lambda records: map(_of_user, records),
    TagRecord: lambda records: ((record.name,) for record in records),
}
