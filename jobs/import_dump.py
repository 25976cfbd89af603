from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jobs.loading import layouts_of, load
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import ImportDump


async def import_dump(context: JobContext, request: ImportDump) -> None:
    """Load several files or whole folders: users first, then tags, then posts."""
    writer = choose_writer(request.writer)
    layouts = await asyncio.to_thread(layouts_of, request.urls, request.format)
    await load(context, layouts, request.site, writer)
