"""Noting, batch by batch, which rows the records of a snapshot stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from jobs.sources.record import PostRecord, TagRecord
from models.natural_key import stored_rows
from models.post import Post
from models.seen_row import note_seen
from models.tag import tag_ids
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.import_requests import ImportRequest
    from jobs.request_values import Missing
    from jobs.sources.record import Entity, Record
    from jobs.writers.bisection import Write
    from jobs.writers.written import Written
    from models.natural_key import Keyed
    from models.run_file import Origin

MODELS: dict[str, Keyed] = {"users": User, "posts": Post}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a site is made equal to its files: what becomes of rows that they lack, however many (`force`)."""

    missing: Missing
    force: bool

    @classmethod
    def of(cls, request: ImportRequest) -> Self | None:
        """Give what an import asks for, if its files are a snapshot."""
        return cls(request.missing, request.force) if request.snapshot else None


def noting(write: Write, entity: Entity) -> Write:
    """Make of a writer one that also notes the rows that its records stand for, changed or not."""

    async def write_and_note(session: AsyncSession, origin: Origin, records: Sequence[Record]) -> Written:
        written: Written = await write(session, origin, records)
        if origin.root_id is not None:
            await _note(session, origin.site, origin.root_id, entity, records)
        return written

    return write_and_note


async def _note(
    session: AsyncSession, site: str, root_id: UUID, entity: Entity, records: Sequence[Record]
) -> None:
    if entity == "tags":
        names = {record.name for record in records if isinstance(record, TagRecord)}
        await note_seen(session, root_id, entity, (await tag_ids(session, names)).values())
        return
    await _note_keys(session, site, root_id, entity, {r.external_id for r in records})  # type: ignore[attr-defined]
    carried = [r.author for r in records if isinstance(r, PostRecord) and r.author]
    if carried:
        await _note_keys(session, site, root_id, "users", {author.external_id for author in carried})


async def _note_keys(
    session: AsyncSession, site: str, root_id: UUID, entity: Entity, external_ids: Collection[str]
) -> None:
    stored = await stored_rows(session, MODELS[entity], site, external_ids, ())
    await note_seen(session, root_id, entity, [row_id for row_id, _ in stored.values()])
