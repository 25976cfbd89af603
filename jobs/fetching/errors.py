"""Why a source could not be fetched; each message names the place, what is wrong and what to do."""

from __future__ import annotations

from jobs.errors import InputError, JobError
from jobs.fetching.places import shown


class FetchError(JobError):
    """The source could not be fetched just now; another attempt goes on with what is there."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{shown(url)}: {problem}")


class PlaceRefusedError(InputError):
    """The source cannot be fetched, or must not be."""

    def __init__(self, url: str, problem: str, advice: str) -> None:
        super().__init__(f"{shown(url)}: {problem}; {advice}")
