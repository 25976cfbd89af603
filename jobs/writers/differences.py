"""Holding records against the stored rows of one table: which are new, which differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.sources.record import PostRecord, UserRecord
from jobs.writers.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Keyed = TypeVar("Keyed", PostRecord, UserRecord)
Values = tuple[Any, ...]
KEY = ("id", "site", "external_id")
WHERE = ("file_id", "position", "repairs")


@dataclass(slots=True)
class Differences:
    """What records of a file say otherwise than the `stored` rows: by external id, (primary key, values).

    Rows that are written get a record's values and WHERE it stood; what is the same keeps where it came from.
    """

    file_id: int | None
    stored: Mapping[str, tuple[int, Values]]
    new: dict[str, Values] = field(default_factory=dict)
    """The values of rows to insert, by external id."""
    changed: dict[int, Values] = field(default_factory=dict)
    """The values of rows to update, by primary key."""
    written: Written = field(default_factory=Written)

    def put(self, record: Keyed, values: Values, *, changed: bool = False) -> bool:
        """Take one record's values; False means that the row has them already, and nothing else changed."""
        key = record.external_id
        stored = self.stored.get(key)
        if stored is None:
            self.new[key] = (*values, self.file_id, record.offset, record.repairs)
            self.written.inserted += 1
            return True
        row_id, before = stored
        if before == values and not changed:
            self.written.unchanged += 1
            return False
        self.changed[row_id] = (*values, self.file_id, record.offset, record.repairs)
        self.written.updated += 1
        return True

    def new_rows(self, site: str, ids: Sequence[int | None]) -> list[Values]:
        """Give the rows to insert: a primary key each, the site, the external id, the values."""
        new = zip(ids, self.new.items(), strict=True)
        return [(row_id, site, key, *values) for row_id, (key, values) in new]

    def changed_rows(self) -> list[Values]:
        """Give the rows to update: the primary key and the values, in the order of the keys."""
        return [(row_id, *self.changed[row_id]) for row_id in sorted(self.changed)]


def layers(records: Sequence[Keyed]) -> Iterator[Sequence[Keyed]]:
    """Give the records in groups that hold each external id once; its next version is in the next group."""
    while records:
        versions: dict[str, Keyed] = {}
        later = [
            record for record in records if versions.setdefault(record.external_id, record) is not record
        ]
        yield list(versions.values()) if later else records
        records = later
