from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.errors import InputError
from jobs.fetching.fetched import fetched
from jobs.import_requests import ImportPosts, ImportTags, ImportUsers
from jobs.loading import layouts_of, load
from jobs.ranges import ranges_of
from jobs.reject_limit import RejectLimit
from jobs.requests import LinkPosts, RefreshAuthorStats, SweepSite
from jobs.snapshots import Snapshot
from jobs.watching import Watch
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.context import JobContext
    from jobs.import_requests import ImportDump
    from jobs.request_values import ByteRange
    from jobs.requests import Request
    from jobs.sources.opening import Layout

UNCHANGED = {"unchanged": True}
PART_OF = {"users": ImportUsers, "tags": ImportTags, "posts": ImportPosts}


async def import_dump(context: JobContext, request: ImportDump) -> dict[str, Any] | None:
    """Load several files or whole folders: users first, then tags, then posts; or split them into ranges."""
    writer = choose_writer(request.writer, context.database.engine.dialect.name)
    watch, begins = Watch(context, request), context.checkpoint is None
    if begins and await watch.is_unchanged():
        return UNCHANGED
    paths = await fetched(context, request.urls)
    layouts = await asyncio.to_thread(layouts_of, paths, request.format, mapping=request.mapping)
    if request.split:
        _refuse_fetched(context)
        stages = await asyncio.to_thread(_stages, request, layouts)
        context.split(*stages, then=RefreshAuthorStats())
        return None
    if await watch.holds_the_same(layouts) and begins:
        return UNCHANGED
    limit, snapshot = RejectLimit(request.max_rejects), Snapshot.of(request)
    result = await load(context, layouts, request.site, writer, limit, snapshot, check=watch.check_counts)
    await watch.note_loaded()
    return result


def _refuse_fetched(context: JobContext) -> None:
    """See that all workers can read the files that are to be cut.

    Raises:
        InputError: one is in this host's spool.

    """
    if original := next(iter(context.originals.values()), None):
        raise InputError(f"{original.shown}: cannot be split, as it was fetched or unpacked; import it whole")


def _stages(request: ImportDump, layouts: Sequence[Layout]) -> list[list[Request]]:
    """Cut the files. Posts come after users, so that they are inserted with authors; then come links.

    Of a snapshot, what it lacks comes last.
    """
    parts: list[Request] = [
        _part(request, layout, piece) for layout in layouts for piece in ranges_of(layout)
    ]
    posts = [part for part in parts if isinstance(part, ImportPosts)]
    others = [part for part in parts if not isinstance(part, ImportPosts)]
    stages: list[list[Request]] = [others, [*posts], [LinkPosts(site=request.site)]]
    if request.snapshot:
        entities = tuple(sorted({layout.entity for layout in layouts}))
        how = request.model_dump(include={"site", "missing", "force"})
        stages.append([SweepSite(entities=entities, **how)])
    return [stage for stage in stages if stage]


def _part(request: ImportDump, layout: Layout, piece: ByteRange) -> Request:
    ask = PART_OF[layout.entity]
    how = request.model_dump(include={"site", "format", "writer", "max_rejects", "snapshot"})
    return ask(url=str(layout.path), byte_range=piece, mapping=request.mapping, **how)
