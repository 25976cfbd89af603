"""The closed set of ways in which an attempt can end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.requests import Request


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job is done; its follow-ups and first parts leave with the commit that says so."""

    result: dict[str, Any] | None
    follow_ups: tuple[Request, ...] = ()
    stages: tuple[tuple[Request, ...], ...] = ()
    after_parts: Request | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The job will not be tried again."""

    error: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; another follows after `delay_seconds`."""

    error: str
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The worker is shutting down; the run goes back and costs no try."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The database went away under the attempt; the run is taken back as if the worker had died on it."""

    error: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Another attempt holds the run by now; there is nothing left to write."""


Outcome = Succeeded | Failed | Retry | Interrupted | CutOff | Lost
