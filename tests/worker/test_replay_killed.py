"""A worker that is killed in the middle of a replay: the next one goes on, and nothing is loaded twice."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from jobs.requests import ReplayRejects
from tests.chaos.caught import caught
from tests.chaos.fail_points import BATCH_BEGUN, MID_BATCH
from tests.chaos.settled import settled
from tests.conftest import command_line, every_database
from tests.factories import run_of
from tests.jobs.replays import another, content, counts, imported, lift, refuse, rejects, site, unlike, write
from worker.main import working

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.fail_points import FailPoint
    from tests.conftest import CommandLine
    from worker.embedded import Services
    from worker.resources import Resources

pytestmark = pytest.mark.slow


@pytest.fixture
def slowly(resources: Resources, tmp_path: Path) -> CommandLine:
    """The command line with batches of three: the fifth is the last of the posts."""
    return command_line(resources.settings.model_copy(update={"batch_size": 3}), tmp_path)


@every_database
@pytest.mark.parametrize("point", [BATCH_BEGUN, MID_BATCH], ids=lambda point: point.name)
async def test_a_killed_replay_is_gone_on_with(  # noqa: PLR0913, PLR0917 - fixtures
    backend: str,
    services: Services,
    request: pytest.FixtureRequest,
    resources: Resources,
    slowly: CommandLine,
    tmp_path: Path,
    point: FailPoint,
) -> None:
    dump = write(tmp_path / "dump", "jsonl", site())
    await refuse(resources)
    rejected = await imported(resources, dump)
    await lift(resources)
    await settled_by(resources)
    run_id = await resources.client.enqueue(ReplayRejects(run=rejected.id))
    async with caught(point, slowly, "worker") as process:
        process.send(signal.SIGKILL)
        await process.ended()
    open_ones = [reject for reject in await rejects(resources) if reject.replayed_by is None]
    assert 0 < len(open_ones) < 13
    await settled_by(resources)
    assert counts(await run_of(resources, run_id)) == {
        "users": {"records_read": 2, "inserted": 2},
        "posts": {"records_read": 11, "inserted": 9, "updated": 1, "skipped": 1},
    }
    async with another(backend, services, request, tmp_path / "another") as clean:
        await imported(clean, dump)
        assert unlike(await content(resources), await content(clean)) == []


async def settled_by(resources: Resources) -> None:
    """Let a worker end all runs."""
    async with working(resources):
        await settled(resources)
