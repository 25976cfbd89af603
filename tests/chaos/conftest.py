"""One small dump for the whole matrix, what comes of it undisturbed, and a stage for each case."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.chaos.stage import Stage
from tests.chaos.undisturbed import undisturbed_import
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.truth import Rows
    from tests.conftest import CommandLine
    from worker.embedded import Services
    from worker.resources import Resources
    from worker.settings import Settings

USERS, POSTS, BATCH = 60, 600, 50
LEASE_SECONDS = 1.0

# `make chaos` asks for everything; without it, a few cases of each kind show that the whole would work.
FULL = os.environ.get("CHAOS") == "full"
SEED = int(os.environ.get("CHAOS_SEED") or (time.time() if FULL else 1))


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
    with ThreadPoolExecutor(1) as threads:  # the test that asks first has a loop running already
        return threads.submit(
            lambda: asyncio.run(undisturbed_import(dump, path, services.redis_url))
        ).result()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with small batches, and the shortest lease there is."""
    return settings.model_copy(update={"lease_seconds": LEASE_SECONDS, "batch_size": BATCH})


@pytest.fixture
def stage(resources: Resources, headrace: CommandLine, services: Services, dump: Path) -> Stage:
    """A database and a queue of this case's own, with the dump that is to be imported."""
    return Stage(resources, headrace, services, dump)
