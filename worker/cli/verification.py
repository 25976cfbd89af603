"""The verify command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter, ValidationError
from rich.box import SIMPLE
from rich.table import Table

from jobs.request_values import SiteName
from jobs.verifying.run import verify_run
from jobs.verifying.site import verify_site
from worker.cli.app import err, json_option, out, print_json, run_async, start
from worker.cli.runs import find_run
from worker.resources import open_resources
from worker.retries import describe

if TYPE_CHECKING:
    from worker.settings import Settings

OF_RECEIPT = ("read", "rejected")
OF_ROWS = ("as_loaded", "superseded", "changed_since", "by_hand", "missing", "wrong")


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--site", help="Instead of a run: the counts and digests of a site's tables.")
@json_option
def verify(*, run_id: str | None, site: str | None, as_json: bool) -> None:
    """Read the files of a run again and hold them, its receipt and the tables against each other.

    Changes nothing; non-zero if something is wrong. With --site, prints the counts and digests of the tables
    of a site, which are the same in two databases that hold the same.
    """
    if bool(run_id) == bool(site):
        raise click.UsageError("give a run, or --site")
    settings = start()
    if site:
        document = run_async(_site(settings, _site_name(site)))
    else:
        document = run_async(_run(settings, run_id or ""))
    if as_json:
        print_json(document)
    elif site:
        _show_site(document)
    else:
        _show_run(document)
    if wrong := document.get("wrong"):
        err.print(f"headrace: run {document['run_id']} is not as it says: {wrong[0]}", markup=False)
        sys.exit(1)


def _site_name(site: str) -> str:
    try:
        return TypeAdapter(SiteName).validate_python(site)
    except ValidationError as error:
        raise click.UsageError(f"--site: {describe(error)}") from error


async def _run(settings: Settings, prefix: str) -> dict[str, Any]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        return await verify_run(session, (await find_run(session, prefix)).id)


async def _site(settings: Settings, site: str) -> dict[str, Any]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        return await verify_site(session, site)


def _show_run(document: dict[str, Any]) -> None:
    table = Table(box=SIMPLE, title=f"run {document['run_id']} · {document['job']}")
    table.add_column("entity")
    for name in (*OF_RECEIPT, *OF_ROWS):
        table.add_column(name.replace("_", " "), justify="right")
    table.add_column("digest")
    for entity, found in document["entities"].items():
        numbers = (f"{found[name]:,}" for name in (*OF_RECEIPT, *OF_ROWS))
        table.add_row(entity, *numbers, found["digest"])
    out.print(table)
    for file in document["files"]:
        if file["is"] != "unchanged":
            out.print(
                f"{file['path']} is {file['is']} and was not read again",
                markup=False,
            )
    if not document["files"]:
        out.print("the run's files were not written down: only its receipt was looked at")
    for line in document["wrong"]:
        out.print(line, markup=False)
    if document["sound"]:
        out.print("Nothing is wrong.")


def _show_site(document: dict[str, Any]) -> None:
    table = Table(box=SIMPLE, title=f"site {document['site']}")
    table.add_column("entity")
    table.add_column("rows", justify="right")
    table.add_column("digest")
    for entity, found in document["entities"].items():
        table.add_row(entity, f"{found['rows']:,}", found["digest"])
    out.print(table)
