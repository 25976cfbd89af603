from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.loading import layouts_of, load
from jobs.requests import ImportPosts, ImportTags, ImportUsers, RefreshAuthorStats
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import ImportDump, Request
    from jobs.sources.opening import Layout

PART_OF = {"users": ImportUsers, "tags": ImportTags, "posts": ImportPosts}


async def import_dump(context: JobContext, request: ImportDump) -> dict[str, Any] | None:
    """Load several files or whole folders: users first, then tags, then posts; or each by its own run."""
    writer = choose_writer(request.writer, context.database.engine.dialect.name)
    layouts = await asyncio.to_thread(layouts_of, request.urls, request.format)
    if request.split:
        context.split([_part(request, layout) for layout in layouts], then=RefreshAuthorStats())
        return None
    return await load(context, layouts, request.site, writer)


def _part(request: ImportDump, layout: Layout) -> Request:
    ask = PART_OF[layout.entity]
    return ask(url=str(layout.path), site=request.site, format=request.format, writer=request.writer)
