"""The counts of a plan, an entity each, with examples of what would be rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.chunks import Chunk
    from jobs.sources.record import Entity
    from jobs.writers.written import Written

EXAMPLES_OF_A_RULE = 3
MOST_FIELDS = 100
SUMS = ("read", "inserted", "updated", "unchanged", "deleted", "rejected", "skipped", "repaired")


@dataclass(slots=True)
class Tally:
    """What would become of the records of one entity, named as receipts name it."""

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(SUMS, 0)))
    unknown_fields: Counter[str] = field(default_factory=Counter)
    rejects_by_rule: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    vanished: int | None = None
    """How many rows of the site the files do not have; None where rows belong to no site."""

    def add(self, source: str, entity: Entity, chunk: Chunk, written: Written) -> None:
        """Count what would become of a chunk of a file."""
        self.counts.update(
            read=len(chunk),
            inserted=written.inserted,
            updated=written.updated,
            unchanged=written.unchanged,
            rejected=len(chunk.refused),
            repaired=sum(record.repairs for record in chunk.records),
        )
        self.unknown_fields.update(name for record in chunk.records for name in record.unknown)
        for bad in chunk.refused:
            self.rejects_by_rule[bad.rule] += 1
            if self.rejects_by_rule[bad.rule] <= EXAMPLES_OF_A_RULE:
                where = {"entity": entity, "source": source, "position": bad.offset}
                self.examples.append({**where, "rule": bad.rule, "reason": bad.reason})

    def add_carried(self, written: Written) -> None:
        """Count the authors that posts carried."""
        self.counts.update(
            read=written.read,
            inserted=written.inserted,
            updated=written.updated,
            unchanged=written.unchanged,
            skipped=written.skipped,
        )

    def document(self) -> dict[str, Any]:
        """Describe the counts."""
        return {
            **self.counts,
            "vanished": self.vanished,
            "unknown_fields": dict(self.unknown_fields.most_common(MOST_FIELDS)),
            "rejects_by_rule": dict(sorted(self.rejects_by_rule.items())),
        }
