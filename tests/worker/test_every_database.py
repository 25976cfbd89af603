"""One import, every database: what it leaves behind is the same, row for row and count for count."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from jobs.import_requests import ImportDump
from tests.chaos.caught import caught
from tests.chaos.fail_points import MID_BATCH
from tests.chaos.settled import settled
from tests.chaos.truth import Rows, differences, truth
from tests.conftest import BACKENDS, command_line, fresh_database
from worker.main import working
from worker.resources import Resources, open_resources
from worker.sample import write_sample
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from worker.embedded import Services

    Story = Callable[[Resources], Awaitable[None]]

REAL_SITE = os.environ.get("STACKEXCHANGE_SITE", "")


async def told(
    backend: str, story: Story, services: Services, request: pytest.FixtureRequest, folder: Path
) -> dict[str, Rows]:
    """Let a story happen on a database of a kind, and read what it leaves behind."""
    folder.mkdir()
    async with fresh_database(backend, request, folder) as url:
        settings = Settings(
            database_url=url,
            redis_url=services.redis_url,
            home=folder,
            queue=f"test-{uuid4().hex}",
            lease_seconds=1,
            batch_size=50,
        )
        async with open_resources(settings, redis=True) as resources:
            await story(resources)
            return await truth(resources.database)


async def imported(resources: Resources, dump: Path, site: str) -> None:
    await resources.client.enqueue(ImportDump(urls=(str(dump),), site=site))
    async with working(resources):
        await settled(resources)


async def killed_and_resumed(resources: Resources, dump: Path, site: str) -> None:
    await resources.client.enqueue(ImportDump(urls=(str(dump),), site=site))
    async with caught(
        MID_BATCH, command_line(resources.settings, resources.settings.home), "worker"
    ) as process:
        process.send(signal.SIGKILL)
        await process.ended()
    async with working(resources):
        await settled(resources)


async def check_all_alike(
    story: Story, services: Services, request: pytest.FixtureRequest, folder: Path
) -> dict[str, Rows]:
    """Let a story happen on every database; they must come to the same."""
    found = {backend: await told(backend, story, services, request, folder / backend) for backend in BACKENDS}
    first = found[BACKENDS[0]]
    others = [f"{backend}: {line}" for backend in found for line in differences(found[backend], first)]
    assert others == []
    return first


@pytest.mark.slow
async def test_imports_clean_dirty_repeated_and_killed_leave_the_same_in_every_database(
    services: Services, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for name, dirty in (("clean", False), ("dirty", True)):
        write_sample(tmp_path / name, users=60, posts=600, seed=11, dirty=dirty)

    async def story(resources: Resources) -> None:
        await imported(resources, tmp_path / "clean", "clean")
        await imported(resources, tmp_path / "dirty", "dirty")
        await imported(resources, tmp_path / "dirty", "clean")
        await killed_and_resumed(resources, tmp_path / "dirty", "killed")

    found = await check_all_alike(story, services, request, tmp_path)
    assert len(found["posts"]) == 3 * 600
    assert found["rejects"].total() > 0
    assert not found["stale_authors"]


@pytest.mark.slow
@pytest.mark.skipif(not REAL_SITE, reason="STACKEXCHANGE_SITE names no unpacked site")
async def test_a_real_site_is_the_same_in_every_database(
    services: Services, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async def story(resources: Resources) -> None:
        await imported(resources, Path(REAL_SITE), "french.meta")

    found = await check_all_alike(story, services, request, tmp_path)
    assert len(found["posts"]) == 781
