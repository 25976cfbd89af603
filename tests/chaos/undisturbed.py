"""What an import that nobody disturbs leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from jobs.import_requests import ImportDump
from tests.chaos.settled import settled
from tests.chaos.truth import Rows, truth
from worker.main import working
from worker.resources import open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SITE = "chaos"
LONGEST_SECONDS = 1_800.0


def import_of(dump: Path) -> ImportDump:
    """Make the request that all cases have in common."""
    return ImportDump(urls=(str(dump),), site=SITE)


async def undisturbed_import(dump: Path, sqlite: Path, redis_url: str | None) -> dict[str, Rows]:
    """Import a dump into a migrated SQLite file in peace, and read what comes of it."""
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{sqlite}", redis_url=redis_url, queue=f"test-{uuid4().hex}"
    )
    async with open_resources(settings, redis=True) as resources:
        await resources.client.enqueue(import_of(dump))
        async with working(resources):
            await settled(resources, LONGEST_SECONDS)
        return await truth(resources.database)
