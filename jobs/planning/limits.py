"""What an import would bear, and what a snapshot does with rows that it lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from jobs.reject_limit import RejectLimit
from jobs.snapshots import Snapshot

if TYPE_CHECKING:
    from jobs.import_requests import ImportRequest
    from jobs.sources.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """The rejects that an import may have, its snapshot if it is one, and the share that may vanish."""

    rejects: RejectLimit = field(default_factory=RejectLimit)
    snapshot: Snapshot | None = None
    vanish_percent: float = 25.0
    bounds: Bounds | None = None
    """How far what is compressed may unpack."""

    @classmethod
    def of(cls, request: ImportRequest, vanish_percent: float, bounds: Bounds | None) -> Self:
        """Give the limits of a request; the share and the bounds are settings."""
        return cls(RejectLimit(request.max_rejects), Snapshot.of(request), vanish_percent, bounds)

    @property
    def deletes(self) -> bool:
        """Whether what vanished is deleted."""
        return self.snapshot is not None and self.snapshot.missing == "delete"

    @property
    def marks(self) -> bool:
        """Whether what vanished is marked; what is marked already has vanished before."""
        return self.snapshot is not None and self.snapshot.missing == "mark"
