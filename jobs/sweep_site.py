from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.errors import InputError
from jobs.snapshots import Snapshot
from jobs.superseding import supersede
from jobs.sweeping import sweep

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import SweepSite


async def sweep_site(context: JobContext, request: SweepSite) -> dict[str, Any]:
    """Delete or mark the rows of a site that the split snapshot, of which this is the last part, lacks.

    Raises:
        InputError: it was asked for by itself, and no snapshot says what the site should have.

    """
    if context.whole_id is None:
        raise InputError("sweep_site is the last part of a split snapshot; ask for an import with `snapshot`")
    snapshot = Snapshot(request.missing, request.force)
    result = await sweep(context, request.site, request.entities, snapshot)
    await supersede(context, request.site)
    return result
