"""The fetcher that a process gives its attempts, and its folders under HEADRACE_HOME."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.fetching.fetcher import Fetcher
from jobs.fetching.limits import Limits
from jobs.fetching.rules import Rules
from jobs.fetching.spool import Spool
from jobs.sources.bounds import Bounds
from models.run import unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources
    from worker.settings import Settings

log = structlog.get_logger("headrace.worker")

DAY_SECONDS = 86_400


def fetcher_of(settings: Settings) -> Fetcher:
    """Make the fetcher that the settings ask for."""
    bounds = Bounds(settings.decompressed_bytes, settings.decompressed_ratio)
    return Fetcher(
        Spool(settings.home.resolve() / "spool"),
        Rules(settings.import_hosts, private=settings.import_private_hosts),
        Limits(
            fetched_bytes=settings.fetch_bytes,
            total_seconds=settings.fetch_seconds,
            unpacked=bounds,
        ),
    )


def inputs_of(settings: Settings) -> Path:
    """Give the folder of what came by standard input."""
    return settings.home.resolve() / "inputs"


async def sweep(resources: Resources) -> None:
    """Remove what the spool keeps for runs that have ended, and old inputs; a killed process leaves them."""
    settings, spool = resources.settings, fetcher_of(resources.settings).spool
    kept = await asyncio.to_thread(spool.runs)
    try:
        if kept:
            async with resources.database.reading() as session:
                alive = await unfinished(session, kept)
            for run_id in set(kept) - alive:
                await asyncio.to_thread(spool.remove, run_id)
        await asyncio.to_thread(_remove_old, inputs_of(settings), settings.keep_days * DAY_SECONDS)
    except (OSError, SQLAlchemyError) as error:
        log.warning("spool.not_swept", error=type(error).__name__)


def _remove_old(folder: Path, seconds: float) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.stat().st_mtime < time.time() - seconds:
            path.unlink(missing_ok=True)
