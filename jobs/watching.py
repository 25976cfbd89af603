"""A source that is imported again and again: what is known of it decides whether it is loaded at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING

from jobs.errors import InputError
from jobs.fetching.threads import in_thread
from jobs.fetching.versions import UNKNOWN, versions_of
from models.source_state import counts_read, looked_at, source_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from jobs.context import JobContext
    from jobs.fetching.threads import Ending
    from jobs.import_requests import ImportDump
    from jobs.request_values import Expected
    from jobs.sources.layout import Layout
    from models.source_state import SourceState

BLOCK_BYTES = 1024 * 1024


class TooFewRecordsError(InputError):
    """A source holds fewer records than it must; nothing was deleted for what it lacks."""


@dataclass(slots=True)
class Watch:
    """One run's look at its source; a request without the name of one only has its counts looked at."""

    context: JobContext
    request: ImportDump
    versions: Sequence[str] = ()
    digest: str | None = None

    @property
    def fingerprint(self) -> str:
        """Tell what is asked for from anything else: what changes it makes the same bytes new."""
        return sha256(json.dumps(self.request.document(), sort_keys=True).encode()).hexdigest()

    async def is_unchanged(self) -> bool:
        """Ask the source whether it is what was loaded last, without fetching it."""
        context, name = self.context, self.request.source
        if name is None or context.fetcher is None:
            return False
        async with context.database.reading() as session:
            state = await source_state(session, name)
        known = (state.versions if state else None) or []
        self.versions = await versions_of(context.fetcher, self.request.urls, known)
        if UNKNOWN in self.versions or not self._is_loaded(state) or known != self.versions:
            return False
        await self._note_unchanged(name)
        return True

    async def holds_the_same(self, layouts: Sequence[Layout]) -> bool:
        """Look whether the files have the bytes that were loaded last, whatever the source says.

        If not, they are about to be loaded, and until all are, nothing counts as loaded.
        """
        name = self.request.source
        if name is None:
            return False
        self.digest = await in_thread(lambda ending: _digest(layouts, ending))
        async with self.context.database.reading() as session:
            state = await source_state(session, name)
        if self._is_loaded(state) and state and state.sha256 == self.digest:
            await self._note_unchanged(name)
            return True
        async with self.context.batch() as batch:
            state, _ = await looked_at(batch.session, name, self.context.run_id)
            state.fingerprint = None
        return False

    async def check_counts(self) -> None:
        """See that enough was read; else set the alarm.

        Raises:
            TooFewRecordsError: it was not.

        """
        async with self.context.batch() as batch:
            read = await counts_read(batch.session, self.context.run_id)
            problem = _missing(read, self.request.expect)
            if problem and self.request.source:
                state, at = await looked_at(batch.session, self.request.source, self.context.run_id)
                state.raise_alarm(problem, at)
        if problem:
            raise TooFewRecordsError(f"{problem}; nothing was deleted for what is missing")

    async def note_loaded(self) -> None:
        """Write down what was loaded, so that the same is not loaded again, and whether it fell off."""
        if self.request.source is None:
            return
        async with self.context.batch() as batch:
            read = await counts_read(batch.session, self.context.run_id)
            state, at = await looked_at(batch.session, self.request.source, self.context.run_id)
            self._write(state, at, read)

    def _write(self, state: SourceState, at: datetime, read: Mapping[str, int]) -> None:
        warning = _fallen(read, state.counts or {}, self.request.expect)
        state.raise_alarm(warning, at)
        state.fingerprint, state.versions, state.sha256 = self.fingerprint, [*self.versions], self.digest
        state.changed_at = at
        if warning is None:  # what is good is what the next is compared with
            state.counts = dict(read)

    def _is_loaded(self, state: SourceState | None) -> bool:
        return state is not None and state.fingerprint == self.fingerprint

    async def _note_unchanged(self, name: str) -> None:
        async with self.context.batch() as batch:
            state, _ = await looked_at(batch.session, name, self.context.run_id)
            state.versions = [*self.versions]


def _missing(read: Mapping[str, int], expect: Expected) -> str | None:
    """Say of which entities fewer were read than must be."""
    short = [
        f"{read.get(entity, 0):,} {entity} were read, and there must be {least:,}"
        for entity, least in expect.items()
        if read.get(entity, 0) < least
    ]
    return "; ".join(short) or None


def _fallen(read: Mapping[str, int], before: Mapping[str, int], expect: Expected) -> str | None:
    """Say of which entities less than half is left, where nobody says how many there must be."""
    fallen = [
        f"{read.get(entity, 0):,} {entity} were read, and {good:,} the last time that it was good"
        for entity, good in before.items()
        if entity not in expect and read.get(entity, 0) * 2 < good
    ]
    return "; ".join(fallen) or None


def _digest(layouts: Sequence[Layout], ending: Ending) -> str:
    whole = sha256()
    for layout in layouts:
        ending.look()
        with layout.path.open("rb") as file:
            whole.update(
                f"{layout.entity} {layout.path.name} {file_digest(file, sha256).hexdigest()}\n".encode()
            )
    return whole.hexdigest()
