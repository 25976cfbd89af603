"""What an import does before it looks into its files: bring those that lie elsewhere to this host."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from jobs.fetching.archives import is_archive
from jobs.fetching.places import is_local, local_path
from jobs.fetching.threads import unless_stopping
from models.database import to_its_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.context import JobContext


async def fetched(context: JobContext, urls: Sequence[str]) -> list[str]:
    """Give the paths of the files of a run's sources, fetched and unpacked where need be.

    Raises:
        InputError: one cannot be read, or must not be.
        FetchError: one cannot be fetched just now; what is there is kept for the next attempt.
        StoppingError: the worker is shutting down; likewise.

    """
    if context.fetcher is None:
        return [*urls]
    report = partial(_report, context)
    paths = []
    for url in urls:
        context.spooled |= not is_local(url) or await asyncio.to_thread(is_archive, local_path(url))
        work = context.fetcher.fetch(url, context.run_id, context.originals, report)
        paths += await unless_stopping(context.stopping, work)
    return [str(path) for path in paths]


async def _report(context: JobContext, done: int, total: int) -> None:
    """Show how far a fetch is, as a sign of life."""
    await to_its_end(_show(context, done, total))


async def _show(context: JobContext, done: int, total: int) -> None:
    async with context.batch() as batch:
        batch.bytes_done, batch.bytes_total = done, total
