"""A long import beside the schedule, while workers, Redis and PostgreSQL are killed at random."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from models import State
from models.stats_upkeep import drifted
from tests.chaos import report, ticks
from tests.chaos.conftest import FULL, SEED
from tests.chaos.disturbances import KILL_9, deck
from tests.chaos.fleet import Fleet
from tests.chaos.settled import run_line, settled
from tests.chaos.soak import Soak
from tests.chaos.truth import Rows, differences, truth
from tests.chaos.undisturbed import LONGEST_SECONDS, import_of, undisturbed_import
from tests.conftest import command_line
from tests.factories import run_of
from tests.worker.embedded_house import House, house
from worker.resources import open_resources
from worker.sample import write_sample
from worker.schema import migrate
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.embedded import Services
    from worker.resources import Resources

__all__ = ["house"]  # a fixture is used by its name
WORKERS = 3


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is imported, how slowly, and how often it is disturbed."""

    users: int
    posts: int
    batch_size: int
    lease_seconds: float
    disturbances: int
    most_pause_seconds: float


EXTENT = Extent(20_000, 300_000, 25, 2.0, 200, 0.5) if FULL else Extent(200, 4_000, 5, 1.0, 12, 0.0)


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(2 * LONGEST_SECONDS if FULL else 600)
async def test_a_long_import_loses_nothing_however_often_it_is_disturbed(
    house: House, tmp_path: Path, sqlite_template: Path
) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown if it fails, to repeat it
    dump = tmp_path / "dump"
    write_sample(dump, users=EXTENT.users, posts=EXTENT.posts, seed=SEED, dirty=True)
    async with house.hold() as services, open_soak(house, services, dump) as soak:
        begin = datetime.now(UTC)
        async with soak.fleet.at_work():
            await soak.disturb(deck(EXTENT.disturbances, soak.dice))
            end_of_blows = datetime.now(UTC)
            await settled(soak.resources, LONGEST_SECONDS)
        end = datetime.now(UTC)
        await check_runs(soak.resources)
        await check_ticks(soak.resources, begin, end)
        calm = Path(shutil.copy(sqlite_template, tmp_path / "calm.db"))
        await check_rows(soak.resources, await undisturbed_import(dump, calm, services.redis_url))
        if FULL:
            report.write(soak.felt, await facts(soak, begin, end_of_blows, end))
            killed = [seconds for what, seconds in soak.felt if what is KILL_9]
            assert report.quantile(killed, 0.5) < 3


@asynccontextmanager
async def open_soak(house: House, services: Services, dump: Path) -> AsyncIterator[Soak]:
    settings = Settings(
        database_url=services.database_url,
        redis_url=services.redis_url,
        home=house.folder,
        lease_seconds=EXTENT.lease_seconds,
        batch_size=EXTENT.batch_size,
    )
    async with open_resources(settings, redis=True, schema=False) as resources:
        await migrate(resources.database.engine)
        run_id = await resources.client.enqueue(import_of(dump))
        folder = dump.parent
        fleet = Fleet(command_line(settings, folder), WORKERS, folder / "workers")
        yield Soak(house, resources, fleet, run_id, Random(SEED), EXTENT.most_pause_seconds)


async def check_runs(resources: Resources) -> None:
    runs = await settled(resources)
    assert Counter(run.state for run in runs) == {State.SUCCEEDED: len(runs)}, [
        run_line(run) for run in runs if run.state != State.SUCCEEDED
    ]
    (imported,) = (run for run in runs if run.job == "import_dump")
    assert [run.parent_id for run in runs if run.parent_id] == [imported.id]


async def check_ticks(resources: Resources, begin: datetime, end: datetime) -> None:
    assert ticks.due(begin, end) - await ticks.taken(resources) == set()
    assert await ticks.runs_too_many(resources) == 0


async def check_rows(resources: Resources, expected: dict[str, Rows]) -> None:
    assert differences(await truth(resources.database), expected) == []
    async with resources.database.reading() as session:
        assert await drifted(session) == 0


async def facts(soak: Soak, begin: datetime, end_of_blows: datetime, end: datetime) -> dict[str, object]:
    run = await run_of(soak.resources, soak.run_id)
    counts = Counter[str]()
    for receipt in run.receipts:
        counts.update(read=receipt.records_read, inserted=receipt.inserted, rejected=receipt.rejected)
    return {
        "made with": f"`make chaos`, seed {SEED}, on {begin:%Y-%m-%d}",
        "surroundings": await report.surroundings(soak.resources),
        "workers": f"{WORKERS} at a time, {soak.fleet.started} in all; lease {EXTENT.lease_seconds:.0f} s",
        "import": f"{counts['read']:,} records in batches of {EXTENT.batch_size}, {run.attempt} attempts,"
        f" {run.failures} tries used up",
        "disturbances": f"{len(soak.felt)} in {(end_of_blows - begin).total_seconds() / 60:.1f} minutes,"
        f" {(end - begin).total_seconds() / 60:.1f} minutes to the end of the import",
        "lost, doubled or otherwise different rows": "0",
        "runs that are stuck or failed": "0",
        "ticks of the minutely entry": f"{len(await ticks.taken(soak.resources))}; 0 missed, 0 doubled",
        "statistics that drifted": "0",
    }
