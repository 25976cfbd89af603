"""What would become of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.writers.written import Written
from models.tag import tag_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.planning.foresight import Foresight
    from jobs.sources.record import TagRecord


async def plan_tags(foresight: Foresight, records: Sequence[TagRecord]) -> Written:
    """Count a batch of tags as the import would."""
    names = {record.name for record in records}
    known = (await tag_ids(foresight.session, names)).keys() | foresight.foreseen.of("tags", names).keys()
    missing = names - known
    foresight.foreseen.put("tags", dict.fromkeys(missing, ()))
    return Written(inserted=len(missing), unchanged=len(records) - len(missing))
