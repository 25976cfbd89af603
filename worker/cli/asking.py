"""Asking for a run on the command line: waiting for it or not, and saying what came of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from jobs.request_values import WriterChoice
from models.run import State
from worker.cli.app import err, json_option, print_json, run_async
from worker.cli.progress import follow, run_document
from worker.cli.tables import show_receipt
from worker.main import working
from worker.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.requests import Request
    from worker.settings import Settings

Command = TypeVar("Command", bound="Callable[..., Any]")

writer_option = click.option(
    "--writer",
    type=click.Choice(get_args(WriterChoice)),
    default="auto",
    show_default=True,
    help="How rows are put into the tables.",
)


def asking_options(command: Command) -> Command:
    """Add the options of a command that asks for a run: --wait, --with-worker, --json."""
    waiting = click.option("--wait", is_flag=True, help="Wait for the end; non-zero if the run failed.")
    working_ = click.option(
        "--with-worker", is_flag=True, help="Run a worker inside this command until the run ends."
    )
    return waiting(working_(json_option(command)))


def answer(settings: Settings, request: Request, *, wait: bool, with_worker: bool, as_json: bool) -> None:
    """Ask for a run and say what came of it, or how to see it; non-zero if it failed."""
    document = run_async(_ask(settings, request, wait=wait, with_worker=with_worker))
    if as_json:
        print_json(document)
    elif wait or with_worker:
        show_receipt(document)
    else:
        err.print(f"queued run {document['run_id']}; `headrace run {document['run_id']}` shows how it goes")
    if document["state"] in {State.FAILED, State.CANCELLED}:
        err.print(f"headrace: {document['error'] or document['state']}", markup=False)
        sys.exit(1)


async def _ask(settings: Settings, request: Request, *, wait: bool, with_worker: bool) -> dict[str, Any]:
    async with open_resources(settings, redis=True) as resources:
        run_id = await resources.client.enqueue(request)
        if with_worker:
            async with working(resources):
                return await follow(resources, run_id)
        if wait:
            return await follow(resources, run_id)
        return await run_document(resources, run_id)
