"""Commands that look at the ledger: runs and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jobs.errors import InputError
from jobs.registry import BY_NAME
from models.family import cancel_runs, with_parts
from models.reject import rejects_of
from models.run import Run, State, find_runs, list_runs, retry_runs
from worker.cli.app import err, json_option, out, print_json, run_async, start
from worker.cli.reject_list import reject_document, show_rejects
from worker.cli.tables import show_receipt, show_runs
from worker.resources import open_resources
from worker.run_documents import details_in, document_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.settings import Settings

REJECTS_SHOWN = 10
FEWEST_DIGITS = 4


@click.command()
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only runs in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@json_option
def runs(*, state: str | None, limit: int, as_json: bool) -> None:
    """List the newest runs."""
    documents = run_async(_runs(start(), State(state) if state else None, limit))
    if as_json:
        print_json(documents)
    else:
        show_runs(documents)


async def _runs(settings: Settings, state: State | None, limit: int) -> list[dict[str, Any]]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        return [document_of(run) for run in await list_runs(session, state, limit)]


@click.command()
@click.argument("run_id", metavar="ID")
@json_option
def run(*, run_id: str, as_json: bool) -> None:
    """Show one run: state, progress, receipt, rejects by rule. The first digits of ID are enough."""
    document = run_async(_run(start(), run_id))
    if as_json:
        print_json(document)
        return
    show_receipt(document)
    if document["error"]:
        out.print(f"error: {document['error']}", markup=False)
    if document["result"]:
        out.print(f"result: {document['result']}", markup=False)
    for rule, number in document["rejects_by_rule"].items():
        replayed = document["replayed_by_rule"].get(rule, 0)
        since = f", {replayed:,} of them replayed since" if replayed else ""
        out.print(f"{number:,} rejected by rule {rule}{since}", markup=False)
    if sum(document["rejects_by_rule"].values()) > REJECTS_SHOWN:
        out.print(f"the first {REJECTS_SHOWN}; `headrace rejects {document['run_id']}` shows more:")
    show_rejects(document["rejects"])


async def _run(settings: Settings, prefix: str) -> dict[str, Any]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        found = await find_run(session, prefix)
        document = await details_in(session, found.id)
        first = await rejects_of(session, found.id, REJECTS_SHOWN)
        document["rejects"] = [reject_document(reject) for reject, _ in first]
        return document


@click.command()
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
def cancel(*, run_ids: tuple[str, ...]) -> None:
    """Cancel queued and running runs. A running one stops within a second and keeps what it committed."""
    settings = start()

    async def main() -> int:
        async with open_resources(settings) as resources, resources.database.writing.begin() as session:
            found = [(await find_run(session, run_id)).id for run_id in run_ids]
            return await cancel_runs(session, found)

    _changed("cancelled", run_async(main()), len(run_ids))


@click.command()
@click.argument("run_ids", metavar="ID...", nargs=-1)
@click.option("--job", type=click.Choice(list(BY_NAME)), help="All failed runs of this job.")
def retry(*, run_ids: tuple[str, ...], job: str | None) -> None:
    """Queue failed or cancelled runs, or such parts of a split one, again, from where they stopped."""
    if bool(run_ids) == bool(job):
        raise click.UsageError("give the ids of runs, or --job")
    settings = start()

    async def main() -> int:
        async with open_resources(settings) as resources, resources.database.writing.begin() as session:
            if job:
                return await retry_runs(session, (Run.job == job) & (Run.state == State.FAILED))
            found = [(await find_run(session, run_id)).id for run_id in run_ids]
            return await retry_runs(session, with_parts(found))

    _changed("queued again", run_async(main()), len(run_ids))


def _changed(what: str, how_many: int, asked: int) -> None:
    err.print(f"{how_many} {what}")
    if how_many < asked:
        raise InputError(
            f"{asked - how_many} of {asked} could not be {what}: see their states in `headrace runs`"
        )


async def find_run(session: AsyncSession, prefix: str) -> Run:
    """Find the run whose id begins so.

    Raises:
        InputError: there is none, or more than one.

    """
    try:
        found = await find_runs(session, prefix) if len(prefix) >= FEWEST_DIGITS else []
    except ValueError:
        found = []
    if not found:
        raise InputError(f"no run {prefix!r}; `headrace runs` lists them")
    if len(found) > 1:
        raise InputError(f"several runs begin with {prefix!r}; give more digits")
    return found[0]
