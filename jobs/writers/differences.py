"""Holding records against the stored rows of one table: which are new, which differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.sources.record import PostRecord, UserRecord
from jobs.writers.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from models.run_file import Origin

Keyed = TypeVar("Keyed", PostRecord, UserRecord)
Values = tuple[Any, ...]
KEY = ("id", "site", "external_id")
WHERE = ("file_id", "position", "repairs")


@dataclass(slots=True)
class Differences:
    """What records say otherwise than the `stored` rows: by external id, (primary key, values).

    Rows that are written get a record's values, what is derived from these, and WHERE it stood; what is the
    same keeps where it came from. New ones get their primary keys from `free`, by external id.
    """

    origin: Origin
    stored: Mapping[str, tuple[int, Values]]
    free: Mapping[str, int | None]
    derive: Callable[[Any], Values] = lambda _record: ()
    new: list[Values] = field(default_factory=list)
    """The rows to insert: KEY, the values, what is derived, WHERE."""
    changed: dict[int, Values] = field(default_factory=dict)
    """The values of rows to update, what is derived, and WHERE, by primary key."""
    unchanged: int = 0

    def put(self, record: Keyed, values: Values, *, changed: bool = False) -> bool:
        """Take one record's values; False means that the row has them already, and nothing else changed."""
        key, file_id = record.external_id, self.origin.file_id
        stored = self.stored.get(key)
        if stored is None:
            more: Values = (*self.derive(record), file_id, record.offset, record.repairs)
            self.new.append((self.free[key], self.origin.site, key, *values, *more))
            return True
        known_id, before = stored
        if before == values and not changed:
            self.unchanged += 1
            return False
        self.changed[known_id] = (*values, *self.derive(record), file_id, record.offset, record.repairs)
        return True

    @property
    def written(self) -> Written:
        """Count the records."""
        return Written(inserted=len(self.new), updated=len(self.changed), unchanged=self.unchanged)

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
