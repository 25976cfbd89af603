"""How much may be fetched and unpacked, and how long that may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.sources.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one source."""

    fetched_bytes: int = 64 * 2**30
    total_seconds: float = 6 * 3_600.0
    """How long one attempt may fetch; the next goes on from there."""
    idle_seconds: float = 60.0
    """How long a server may send nothing."""
    first_pause_seconds: float = 0.5
    """How soon a server that failed is asked again; each time after twice as long."""
    unpacked: Bounds = field(default_factory=Bounds)
