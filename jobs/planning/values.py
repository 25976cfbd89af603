"""What a record would put into the columns that its writer compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.writers.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.sources.record import PostRecord, UserRecord

# A record that comes is not missing.
GIVEN: dict[str, Any] = {"missing_since": None}


def values_of(
    record: UserRecord | PostRecord, columns: Sequence[str], given: Mapping[str, Any] = GIVEN
) -> tuple[Any, ...]:
    """Give the values of a writer's columns: those `given`, else the record's fields of that name."""
    return tuple([given[name] if name in given else getattr(record, name) for name in columns])


def counted(before: Mapping[str, Any], after: Mapping[str, Any]) -> Written:
    """Count rows by what happens to them: what they hold before, if they are there, and after."""
    inserted = len(after.keys() - before.keys())
    unchanged = sum(before.get(key) == held for key, held in after.items())
    return Written(inserted, len(after) - inserted - unchanged, unchanged)
