from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.errors import InputError
from jobs.fetching.fetched import fetched
from jobs.fetching.places import shown
from jobs.loading import layouts_of, load, load_files
from jobs.ranges import narrowed
from jobs.reject_limit import RejectLimit
from jobs.snapshots import Snapshot
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.import_requests import ImportPosts, ImportTags, ImportUsers


async def import_file(context: JobContext, request: ImportUsers | ImportPosts | ImportTags) -> dict[str, Any]:
    """Load one file of users, posts or tags, or a range of it; ranges are linked together, by whoever cut."""
    writer = choose_writer(request.writer, context.database.engine.dialect.name)
    paths = await fetched(context, [request.url])
    layouts = await asyncio.to_thread(layouts_of, paths, request.format, request.entity, request.mapping)
    if len(layouts) > 1:
        raise InputError(f"{shown(request.url)}: holds several files; import them as a dump")
    [layout] = layouts
    limit, snapshot = RejectLimit(request.max_rejects), Snapshot.of(request)
    if request.byte_range:
        piece = narrowed(layout, request.byte_range)
        return await load_files(context, [piece], request.site, writer, limit, snapshot)
    return await load(context, [layout], request.site, writer, limit, snapshot)
