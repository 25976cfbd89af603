"""The sources command: what is imported by the clock, and how it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.table import Table

from worker.cli.app import err, json_option, out, print_json, run_async, start
from worker.cli.tables import in_zone
from worker.resources import open_resources
from worker.source_documents import source_documents
from worker.source_file import read_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.settings import Settings
    from worker.source_file import ScheduledSource


@click.command()
@json_option
def sources(*, as_json: bool) -> None:
    """List what is imported by the clock: where it lies, when, whether it is as it should be."""
    settings = start()
    documents = run_async(_sources(settings, read_sources(settings.sources)))
    if as_json:
        print_json(documents)
    elif not documents:
        err.print("no source is imported by the clock; HEADRACE_SOURCES names a file of them", markup=False)
    else:
        _show(documents)


async def _sources(settings: Settings, found: Sequence[ScheduledSource]) -> list[dict[str, Any]]:
    async with open_resources(settings) as resources, resources.database.reading() as session:
        return await source_documents(session, settings, found)


def _show(documents: list[dict[str, Any]]) -> None:
    table = Table(box=SIMPLE)
    for column in ("name", "site", "url", "cron", "state", "last run", "next tick"):
        table.add_column(column, overflow="fold")
    for d in documents:
        run = (d["last_run_id"] or "")[:8]
        following = in_zone(d["next_tick"], d["time_zone"])
        table.add_row(d["name"], d["site"], "\n".join(d["urls"]), d["cron"], d["state"], run, following)
    out.print(table)
    for d in documents:
        if d["alarm"]:
            err.print(f"{d['name']}: {d['alarm']}", markup=False)
