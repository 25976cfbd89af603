"""One small dump for the whole matrix, what comes of it undisturbed, and a stage for each case."""

from __future__ import annotations

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from jobs.requests import ImportDump
from tests.chaos.stage import Stage, settled
from tests.chaos.truth import Rows, truth
from worker.main import working
from worker.resources import Resources, open_resources
from worker.sample import write_sample
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.embedded import Services

USERS, POSTS, BATCH = 60, 600, 50
LEASE_SECONDS = 1.0

# `make chaos` asks for everything; without it, a few cases of each kind show that the whole would work.
FULL = os.environ.get("CHAOS") == "full"


@pytest.fixture(scope="session")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Users, Tags and Posts, some rows of which need repair or are rejected."""
    folder = tmp_path_factory.mktemp("dump")
    write_sample(folder, users=USERS, posts=POSTS, seed=11, dirty=True)
    return folder


@pytest.fixture(scope="session")
def undisturbed(
    dump: Path, services: Services, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Rows]:
    """What an import that nobody disturbs leaves behind; on SQLite, for cases on both databases."""
    path = tmp_path_factory.mktemp("undisturbed") / "headrace.db"
    shutil.copy(sqlite_template, path)
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{path}", redis_url=services.redis_url, queue=f"test-{uuid4().hex}"
    )

    async def import_it() -> dict[str, Rows]:
        async with open_resources(settings, redis=True) as resources:
            await resources.client.enqueue(ImportDump(urls=(str(dump),), site="chaos"))
            async with working(resources):
                await settled(resources)
            return await truth(resources.database)

    with ThreadPoolExecutor(1) as threads:  # the test that asks first has a loop running already
        return threads.submit(lambda: asyncio.run(import_it())).result()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with small batches, and the shortest lease there is."""
    return settings.model_copy(update={"lease_seconds": LEASE_SECONDS, "batch_size": BATCH})


@pytest.fixture
def stage(resources: Resources, headrace: CommandLine, services: Services, dump: Path) -> Stage:
    """A database and a queue of this case's own, with the dump that is to be imported."""
    return Stage(resources, headrace, services, dump)
