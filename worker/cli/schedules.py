"""Commands about the schedule: what is due when, what came of the last tick, and running an entry now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.table import Table

from worker.cli.app import err, json_option, out, print_json, run_async, start
from worker.cli.tables import in_zone
from worker.resources import open_resources
from worker.schedule import Entry, check_schedule, schedule_of, start_run
from worker.schedule_documents import schedule_documents

if TYPE_CHECKING:
    from uuid import UUID

    from worker.settings import Settings


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def schedule(context: click.Context, *, as_json: bool) -> None:
    """List what starts by itself: its times, its last tick and what came of it, its next tick."""
    if context.invoked_subcommand is not None:
        return
    settings = start()
    entries = schedule_of(settings)
    check_schedule(settings, entries)
    documents = run_async(_schedule(settings, entries))
    if as_json:
        print_json(documents)
    else:
        _show(documents)


async def _schedule(settings: Settings, entries: tuple[Entry, ...]) -> list[dict[str, Any]]:
    async with open_resources(settings) as resources, resources.database.reading() as session:
        return await schedule_documents(session, settings, entries)


def _show(documents: list[dict[str, Any]]) -> None:
    """Print the entries, a line each, with times in each entry's own zone."""
    table = Table(box=SIMPLE)
    for column in ("name", "cron", "time zone", "catch-up", "last tick", "its run", "next tick"):
        table.add_column(column, overflow="fold")
    for d in documents:
        last, following = (in_zone(d[name], d["time_zone"]) for name in ("last_tick", "next_tick"))
        table.add_row(d["name"], d["cron"], d["time_zone"], d["catch_up"], last, _run_of(d), following)
    out.print(table)
    for hint in _hints(documents):
        err.print(hint, markup=False)


def _run_of(document: dict[str, Any]) -> str:
    if document["last_run_id"]:
        return f"{document['last_run_id'][:8]} {document['last_state']}"
    return "nothing to do" if document["last_tick"] else ""


def _hints(documents: list[dict[str, Any]]) -> list[str]:
    """Say what keeps the schedule from being kept."""
    if not any(d["seen_until"] for d in documents):
        return ["no worker has kept this schedule yet; `headrace worker` does, from then on"]
    return [
        f"{d['name']} has been due since {d['due_since']:%Y-%m-%d %H:%M:%S} UTC: is a worker running? "
        "`headrace worker` starts one"
        for d in documents
        if d["due_since"]
    ]


@schedule.command()
@click.argument("name")
@json_option
def run(*, name: str, as_json: bool) -> None:
    """Start the run of an entry now, as its tick would; a worker carries it out. Prints the run's id."""
    settings = start()
    entries = {entry.name: entry for entry in schedule_of(settings)}
    if name not in entries:
        raise click.BadParameter(f"there is no entry {name}; there are {', '.join(entries)}")
    run_id = run_async(_run(settings, entries[name]))
    if as_json:
        print_json({"name": name, "run_id": str(run_id) if run_id else None})
    elif run_id is None:
        err.print("nothing to do: no run was started")
    else:
        out.print(str(run_id))
        err.print(f"queued; `headrace run {run_id}` shows how it goes")


async def _run(settings: Settings, entry: Entry) -> UUID | None:
    async with open_resources(settings) as resources, resources.database.writing.begin() as session:
        return await start_run(resources, session, entry)
