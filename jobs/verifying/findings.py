"""What a verification finds, an entity each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.digests import shown
from jobs.verifying.judging import VERDICTS
from models.receipt import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.verifying.judging import Verdict
    from models.receipt import Receipt

MOST_LINES = 20


@dataclass(slots=True)
class Findings:
    """What the receipts, the files and the rows of one entity say, and where they contradict each other."""

    entity: str
    receipt: Counter[str] = field(default_factory=Counter)
    """The counts of the run's receipts together, and the digest."""
    is_read_again: bool = True
    """Whether all files of the entity could be read again."""
    read: int = 0
    rejected: int = 0
    digest: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    naming: int = 0
    """How many rows name a file of the run as that of the record that wrote them last."""
    wrong: list[str] = field(default_factory=list)
    """A line for each contradiction, the first of them."""

    def add_receipts(self, receipts: Iterable[Receipt]) -> None:
        """Take what the run and its parts answer for."""
        for receipt in receipts:
            self.receipt.update({name: getattr(receipt, name) for name in (*COUNTS, "digest")})
        said = self.receipt
        parts = sum(said[name] for name in ("inserted", "updated", "unchanged", "rejected", "skipped"))
        self.check("the receipt does not add up", said["records_read"], parts)

    def check(self, what: str, said: object, found: object) -> None:
        """Note it if what was said is not what was found."""
        if said != found:
            self.note(f"{self.entity}: {what}: {said}, and {found}")

    def note(self, line: str) -> None:
        """Note that something is wrong."""
        self.verdicts["wrong"] += 1
        if len(self.wrong) < MOST_LINES:
            self.wrong.append(line)

    def check_files(self) -> None:
        """Hold what was read again against the receipt."""
        said = self.receipt
        self.check("records read, by receipt and files", said["records_read"], self.read)
        self.check("rejects, by receipt and files", said["rejected"], self.rejected)
        self.check("digest, by receipt and files", shown(said["digest"]), shown(self.digest))

    def document(self) -> dict[str, Any]:
        """Describe what was found."""
        return {
            "read": self.receipt["records_read"],
            "rejected": self.receipt["rejected"],
            "digest": shown(self.receipt["digest"]),
            "read_again": self.read if self.is_read_again else None,
            "digest_of_files": shown(self.digest) if self.is_read_again else None,
            "rows_from_this_run": self.naming,
            **{verdict: self.verdicts[verdict] for verdict in VERDICTS},
        }
