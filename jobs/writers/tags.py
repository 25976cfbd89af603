"""How tags get into their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.writers.written import Written
from models.tag import add_tags, tag_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import TagRecord
    from jobs.writers.memory import Memory
    from jobs.writers.writer import Writer
    from models.run_file import Origin


async def write_tags(
    _writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[TagRecord],
    memory: Memory | None = None,  # noqa: ARG001 - there is nothing to remember
) -> Written:
    """Insert the tags that are not there; a tag is its name, so there is nothing to update."""
    names = {record.name for record in records}
    missing = names - (await tag_ids(session, names)).keys()
    await add_tags(session, missing, origin.file_id)
    return Written(inserted=len(missing), unchanged=len(records) - len(missing))
