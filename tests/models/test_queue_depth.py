"""What waits is counted by job, as the database's clock sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from jobs.requests import PruneHistory, RefreshAuthorStats
from models import Run, State
from models.clock import now
from models.queue_depth import Depth, queue_depth
from tests.conftest import every_database
from tests.factories import running

if TYPE_CHECKING:
    from uuid import UUID

    from worker.resources import Resources


async def depths(resources: Resources) -> dict[str, Depth]:
    async with resources.database.reading() as session:
        return {depth.job: depth for depth in await queue_depth(session)}


@every_database
async def test_runs_are_counted_by_job_and_by_what_they_wait_for(resources: Resources) -> None:
    assert await depths(resources) == {}
    ids = [await resources.client.enqueue(RefreshAuthorStats()) for _ in range(5)]
    await running(resources)
    done = await resources.client.enqueue(PruneHistory(keep_days=1))
    changes: dict[UUID, dict[str, Any]] = {
        ids[0]: {"run_at": now(-90)},
        ids[1]: {"run_at": now(60)},
        ids[2]: {"state": State.FAILED},
        ids[3]: {"state": State.CANCELLED},
        done: {"state": State.SUCCEEDED},
    }
    async with resources.database.writing.begin() as session:
        for run_id, values in changes.items():
            await session.execute(update(Run).where(Run.id == run_id).values(values))
    found = await depths(resources)
    assert list(found) == ["refresh_author_stats"]
    depth = found["refresh_author_stats"]
    assert (depth.due, depth.later, depth.running, depth.failed) == (2, 1, 1, 1)
    assert depth.oldest_seconds == pytest.approx(90, abs=30)


@every_database
async def test_a_job_of_which_nothing_is_due_has_no_age(resources: Resources) -> None:
    await running(resources)
    assert (await depths(resources))["refresh_author_stats"].oldest_seconds == 0
