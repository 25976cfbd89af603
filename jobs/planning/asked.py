"""Planning what a request asks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from jobs.import_requests import ImportDump, PlanImport
from jobs.loading import layouts_of
from jobs.planning.limits import Limits
from jobs.planning.plan import plan
from jobs.writers.registry import choose_writer
from models.dialect import dialect_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.fetching.original import Original
    from jobs.import_requests import ImportPosts, ImportTags, ImportUsers
    from jobs.sources.bounds import Bounds
    from jobs.sources.record import Entity

    Import = ImportDump | ImportUsers | ImportPosts | ImportTags


@dataclass(frozen=True, slots=True)
class Manner:
    """How the import would be carried out here: in which batches, and within which bounds."""

    batch_size: int | None
    """Records in one transaction; None leaves it to the writer."""
    vanish_percent: float
    """The share of a site that a snapshot may lack."""
    bounds: Bounds | None
    """How far what is compressed may unpack."""


async def plan_asked(
    session: AsyncSession,
    request: Import | PlanImport,
    paths: Sequence[str],
    originals: Mapping[Path, Original],
    manner: Manner,
) -> dict[str, Any]:
    """Say what an import of a request's files would do; `paths` is where they are, fetched and unpacked.

    Raises:
        InputError: a file cannot be read, or the database has no such writer.

    """
    writer = choose_writer(request.writer, dialect_of(session))
    # What a single file holds is said by the job.
    is_dump = isinstance(request, ImportDump | PlanImport)
    entity = None if is_dump else cast("Entity", request.job.removeprefix("import_"))
    layouts = await asyncio.to_thread(layouts_of, paths, request.format, entity, request.mapping)
    limits = Limits.of(request, manner.vanish_percent, manner.bounds)
    size = manner.batch_size or writer.records_per_batch
    return await plan(session, layouts, request.site, size, limits, originals)
