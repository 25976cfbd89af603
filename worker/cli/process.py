"""Commands that set up and run the process itself: migrate, check, worker, demo."""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.import_requests import ImportDump
from models.rankings import Ranking, top_authors
from worker.checks import examine
from worker.cli.app import err, out, run_async, start
from worker.cli.progress import follow
from worker.cli.samples import describe_sample
from worker.cli.statistics import show_authors
from worker.cli.tables import show_receipt
from worker.main import run_worker, working
from worker.resources import open_resources
from worker.sample import write_sample
from worker.schema import migrate as migrate_schema
from worker.settings import read_settings
from worker.supervisor import supervise

if TYPE_CHECKING:
    from worker.settings import Settings

MOST_PROCESSES = 64
DEMO_USERS, DEMO_POSTS = 3_000, 20_000


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema. Safe to run again, and by several releases at once."""
    settings = start()

    async def main() -> None:
        async with open_resources(settings, schema=False) as resources:
            revision = await migrate_schema(resources.database.engine)
        err.print(f"schema is at {revision}")

    run_async(main())


@click.command()
def check() -> None:
    """Validate settings, pool size, schedule, database, schema and Redis.

    Starts nothing. Ends non-zero if something fails.
    """
    findings = run_async(examine(start()))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.says}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@click.command()
@click.option("--burst", is_flag=True, help="Stop when no run is queued any more.")
@click.option(
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    default=1,
    show_default=True,
    help="So many processes, each with the settings' concurrency, under one that watches over them.",
)
@click.option("--line", type=int, hidden=True)
@click.option("--place", type=int, default=0, hidden=True)
def worker(*, burst: bool, processes: int, line: int | None, place: int) -> None:
    """Work on runs until SIGTERM or Ctrl-C; unfinished runs go back and are continued by the next worker."""
    settings = start(quiet=False)
    if processes > 1:
        run_async(supervise(processes, burst=burst))
    else:
        run_async(_work(settings.at_place(place), burst=burst, line=line))


async def _work(settings: Settings, *, burst: bool, line: int | None) -> None:
    # The Prometheus client is one more import that no other command should wait for.
    watch = import_module("worker.watch")
    async with open_resources(settings, redis=True) as resources, watch.watched(resources):
        await run_worker(resources, burst=burst, line=line)


@click.command()
def demo() -> None:
    """Show the main job: embedded services, a sample dump, its import, a leaderboard and the receipt.

    Everything happens in a temporary folder that is removed; other databases are not touched.
    """
    start()
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as folder:
        run_async(_demo(Path(folder)))


async def _demo(folder: Path) -> None:
    settings = read_settings().model_copy(
        update={"home": folder / "home", "database_url": None, "redis_url": None}
    )
    err.print("starting an embedded PostgreSQL and Redis, and migrating ...")
    async with open_resources(settings, redis=True) as resources:
        counts = write_sample(folder / "dump", users=DEMO_USERS, posts=DEMO_POSTS, seed=1, dirty=True)
        err.print(f"wrote a sample dump: {describe_sample(counts)}; importing it ...", markup=False)
        request = ImportDump(urls=(str(folder / "dump"),), site="demo")
        run_id = await resources.client.enqueue(request)
        async with working(resources):
            run = await follow(resources, run_id)
        async with resources.database.reading() as session:
            rows = await top_authors(session, Ranking(site="demo"), 10)
    show_authors(rows)
    show_receipt(run)
    out.print("Nothing is left running. Next: [bold]headrace import PATH --site NAME --wait --with-worker[/]")
