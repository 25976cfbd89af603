"""Going through files as an import would, reading only."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.chunks import take
from jobs.import_requests import ImportDump, ImportPosts, ImportTags, ImportUsers
from jobs.planning.foreseen import foreseeing
from jobs.planning.foresight import Foresight
from jobs.planning.posts import plan_posts
from jobs.planning.tags import plan_tags
from jobs.planning.tally import SUMS, Tally
from jobs.planning.users import plan_users
from jobs.planning.vanishing import look_for_vanished
from jobs.reading_ahead import ahead
from jobs.sources.opening import opened, read
from models.pace import pace_of
from models.user import users_by_ids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.fetching.original import Original
    from jobs.planning.limits import Limits
    from jobs.planning.movements import Change
    from jobs.sources.opening import Layout
    from jobs.sources.record import Entity
    from jobs.writers.written import Written

PLANS: dict[Entity, Callable[..., Awaitable[Written]]] = {
    "users": plan_users,
    "tags": plan_tags,
    "posts": plan_posts,
}
IMPORTS = tuple(request.job for request in (ImportDump, ImportUsers, ImportPosts, ImportTags))
RUNS_FOR_PACE = 20
AUTHORS_SHOWN = 10


async def plan(
    session: AsyncSession,
    layouts: Sequence[Layout],
    site: str,
    batch_size: int,
    limits: Limits,
    originals: Mapping[Path, Original] | None = None,
) -> dict[str, Any]:
    """Say what importing files into a site would do, in batches of that size; nothing is written.

    The session sees one state of the database. Files of the spool are called by their `originals`.

    Raises:
        InputError: a file cannot be read.

    """
    began = time.monotonic()
    with foreseeing() as foreseen:
        planning = Planning(Foresight(session, site, foreseen), limits, originals or {})
        for layout in layouts:
            await planning.read(layout, batch_size)
        held: dict[str, Tally] = {one.entity: planning.tallies[one.entity] for one in layouts}
        if refusal := await look_for_vanished(planning.foresight, held, limits):
            planning.fails.append(refusal)
        authors = [await planning.author_of(change) for change in planning.largest_changes()]
    seconds = time.monotonic() - began
    return planning.document(layouts) | {
        "snapshot": limits.snapshot is not None,
        "authors": authors,
        "seconds": round(seconds, 3),
        "estimate": await _estimate(session, planning.records, seconds),
    }


@dataclass(slots=True)
class Planning:
    """One plan: what is known so far, and the counts of each entity that the files hold."""

    foresight: Foresight
    limits: Limits
    originals: Mapping[Path, Original]
    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    fails: list[str] = field(default_factory=list)
    """Why the import would fail."""

    @property
    def records(self) -> int:
        """How many records were read."""
        return self._count("read")

    def _count(self, name: str) -> int:
        return sum(tally.counts[name] for tally in self.tallies.values())

    async def read(self, layout: Layout, batch_size: int) -> None:
        """Go through one file, reading in a thread while the database is asked."""
        tally, source = self.tallies[layout.entity], self._shown(layout)
        with opened(layout, self.limits.bounds) as stream:
            items = read(stream, layout, layout.start)
            async with ahead(partial(take, items, batch_size)) as chunks:
                look = chunks.during(PLANS[layout.entity])
                async for chunk in chunks:
                    written = await look(self.foresight, chunk.records)
                    tally.add(source, layout.entity, chunk, written)
                    if written.authors:
                        self.tallies["users"].add_carried(written.authors)
                    self._check(source, chunk.end, at_end=chunk.is_last)
                self._check(source, layout.size, at_end=True)

    def _shown(self, layout: Layout) -> str:
        original = self.originals.get(layout.path)
        return original.shown if original else str(layout.path)

    def _check(self, source: str, position: int, *, at_end: bool) -> None:
        """Note where there are first more rejects than the import would bear."""
        read, rejected = self.records, self._count("rejected")
        limit = self.limits.rejects
        if not self.fails and not limit.allows(read, rejected, at_end=at_end):
            self.fails.append(
                f"{rejected:,} of {read:,} records would be rejected up to byte {position} of {source}, "
                f"more than --max-rejects {limit.text} allows"
            )

    def largest_changes(self) -> Sequence[Change]:
        """Give the authors whose figures would move most."""
        return self.foresight.movements.largest(AUTHORS_SHOWN)

    async def author_of(self, change: Change) -> dict[str, Any]:
        """Describe a change of an author's figures, under the name that the author would have."""
        key = change.author
        if isinstance(key, int):
            [user] = await users_by_ids(self.foresight.session, [key])
            key, name = user.external_id, user.name
        else:
            name = None
        state = self.foresight.foreseen.of("users", [key]).get(key)
        shown = {"external_id": key, "name": state[1] if state else name}
        return {**shown, "posts": change.posts, "total_score": change.total_score}

    def document(self, layouts: Sequence[Layout]) -> dict[str, Any]:
        """Describe what was counted."""
        movements = self.foresight.movements
        entities = {entity: tally.document() for entity, tally in sorted(self.tallies.items())}
        return {
            "site": self.foresight.site,
            "files": [
                {"path": self._shown(one), "entity": one.entity, "format": one.format} for one in layouts
            ],
            **{name: sum(entity[name] for entity in entities.values()) for name in SUMS},
            "vanished": sum(entity["vanished"] or 0 for entity in entities.values()),
            "entities": entities,
            "rejects": [example for tally in self.tallies.values() for example in tally.examples],
            "fails": self.fails,
            "authors_moved": movements.count(),
            "all_authors_counted": movements.are_all,
        }


async def _estimate(session: AsyncSession, records: int, seconds: float) -> dict[str, Any]:
    """Say how long the import would take: as earlier ones did, else about as long as the plan."""
    pace = await pace_of(session, IMPORTS, RUNS_FOR_PACE)
    if pace.seconds > 0:
        by = f"{pace.runs} earlier import{'s' if pace.runs > 1 else ''}"
        return {"seconds": round(records * pace.seconds / pace.records, 1), "by": by}
    return {"seconds": round(seconds, 1), "by": "the plan's own pace"}
