from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.chunks import take
from jobs.conflicts import despite_conflicts
from jobs.files import layout_of, listed
from jobs.loading import link
from jobs.requests import RefreshAuthorStats
from jobs.rereading import item_of_value
from jobs.storing import store
from jobs.superseding import supersede
from jobs.writers.registry import WRITES, choose_writer
from models.database import to_its_end
from models.run_file import note_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.context import JobContext
    from jobs.import_requests import ImportRecords
    from jobs.sources.record import Entity
    from jobs.writers.writer import Writer

ORDER: tuple[Entity, ...] = ("users", "tags", "posts")


async def import_records(context: JobContext, request: ImportRecords) -> dict[str, Any]:
    """Load the records that a request carries: users, then tags, then posts, a transaction each."""
    writer = choose_writer(request.writer, context.database.engine.dialect.name)
    done = (context.checkpoint or {"lists": 0})["lists"]
    for number, entity in list(enumerate(ORDER))[done:]:
        if values := getattr(request, entity):
            step = partial(_load, context, request.site, number, entity, values, writer)
            await to_its_end(despite_conflicts(step))
    await link(context, request.site)
    await supersede(context, request.site)
    context.then(RefreshAuthorStats())
    return {"writer": writer.name, "why": writer.why}


async def _load(
    context: JobContext, site: str, number: int, entity: Entity, values: Sequence[Any], writer: Writer
) -> None:
    file = listed(site=site, entity=entity, run_id=context.run_id, root_id=context.root_id, number=number)
    layout = layout_of(file)
    items = (item_of_value(value, place, layout) for place, value in enumerate(values))
    chunk = take(items, len(values))
    async with context.batch() as batch:
        noted = await note_file(batch.session, file)
        await store(batch, noted, chunk, partial(WRITES[entity], writer))
        batch.checkpoint = {"lists": number + 1}
