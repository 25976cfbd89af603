"""Holding records against the stored rows of one table: which are new, which may differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.sources.record import PostRecord, UserRecord
from jobs.writers.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

Keyed = TypeVar("Keyed", PostRecord, UserRecord)
Values = tuple[Any, ...]
KEY = ("id", "site", "external_id")
WHERE = ("file_id", "position", "repairs")


@dataclass(slots=True)
class Differences:
    """What records say otherwise than the `stored` rows: by external id, (primary key, values).

    The rows of those in `same` are known to say the same, and were not read.
    """

    stored: Mapping[str, tuple[int, Values]] = field(default_factory=dict)
    same: AbstractSet[str] = frozenset()
    changed: dict[int, Values] = field(default_factory=dict)
    """The rows to update, by primary key, as whoever writes them wants them."""

    @property
    def known(self) -> dict[str, int]:
        """The primary keys of the rows that were read."""
        return {key: row_id for key, (row_id, _) in self.stored.items()}

    def left(self, records: Sequence[Keyed]) -> Sequence[Keyed]:
        """Choose the records about which something is to be done, or seen."""
        return [r for r in records if r.external_id not in self.same] if self.same else records

    def new(self, records: Sequence[Keyed]) -> Sequence[Keyed]:
        """Choose those of the records left that have no row."""
        return [r for r in records if r.external_id not in self.stored] if self.stored else records

    def written(self, new: int) -> Written:
        """Count the records, of which so many were new."""
        unchanged = len(self.same) + len(self.stored) - len(self.changed)
        return Written(inserted=new, updated=len(self.changed), unchanged=unchanged)

    def changed_rows(self) -> list[Values]:
        """Give the rows to update: the primary key and the values, in the order of the keys."""
        return [(row_id, *self.changed[row_id]) for row_id in sorted(self.changed)]


def layers(records: Sequence[Keyed]) -> Iterator[Sequence[Keyed]]:
    """Give the records in groups that hold each external id once; its next version is in the next group."""
    while len({record.external_id for record in records}) < len(records):
        versions: dict[str, Keyed] = {}
        later = [
            record for record in records if versions.setdefault(record.external_id, record) is not record
        ]
        yield list(versions.values())
        records = later
    if records:
        yield records
