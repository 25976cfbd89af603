"""The revert command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobs.requests import RevertRun
from worker.cli.app import run_async, start
from worker.cli.asking import answer, asking_options
from worker.cli.runs import find_run
from worker.resources import open_resources

if TYPE_CHECKING:
    from uuid import UUID

    from worker.settings import Settings


@click.command()
@click.argument("run_id", metavar="RUN")
@asking_options
def revert(*, run_id: str, wait: bool, with_worker: bool, as_json: bool) -> None:
    """Undo what the latest import of a site inserted, updated and deleted, or refuse with the reason.

    The first digits of RUN are enough.
    """
    settings = start()
    request = RevertRun(run=run_async(_found(settings, run_id)))
    answer(settings, request, wait=wait, with_worker=with_worker, as_json=as_json)


async def _found(settings: Settings, prefix: str) -> UUID:
    async with open_resources(settings) as resources, resources.database.reading() as session:
        return (await find_run(session, prefix)).id
