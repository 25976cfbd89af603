"""What `headrace import --plan` finds out, and how it is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rich.box import SIMPLE
from rich.table import Table

from jobs.fetching.original import Original
from jobs.import_requests import ImportDump
from jobs.planning.asked import Manner, plan_asked
from worker.cli.app import out, print_json, run_async
from worker.fetching import fetcher_of
from worker.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.settings import Settings

COLUMNS = ("read", "inserted", "updated", "unchanged", "vanished", "deleted", "rejected", "repaired")


def plan_instead(settings: Settings, request: Any, inputs: Iterable[str], *, as_json: bool) -> None:
    """Say what an import would do, here and now and without a run: the database is only read.

    The `inputs`, which keep what came by standard input, are removed.
    """
    try:
        document = run_async(_plan(settings, request))
    finally:
        for path in inputs:
            Path(path).unlink(missing_ok=True)
    if as_json:
        print_json(document)
    else:
        show_plan(document)


async def _plan(settings: Settings, request: Any) -> dict[str, Any]:
    fetcher, originals, own = fetcher_of(settings), dict[Path, Original](), uuid4()
    manner = Manner(settings.batch_size, settings.vanish_percent, fetcher.limits.unpacked)
    urls = request.urls if isinstance(request, ImportDump) else (request.url,)
    try:
        paths = [str(path) for url in urls for path in await fetcher.fetch(url, own, originals, _silence)]
        async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
            return await plan_asked(session, request, paths, originals, manner)
    finally:
        await asyncio.to_thread(fetcher.spool.remove, own)


async def _silence(_done: int, _total: int) -> None:
    """Report nothing."""


def show_plan(document: dict[str, Any]) -> None:
    """Print a plan: its counts, an entity a line, and what is behind them."""
    _show_counts(document)
    for example in document["rejects"]:
        out.print("{source} at byte {position}: {rule}: {reason}".format(**example), markup=False)
    for entity, counts in document["entities"].items():
        if counts["unknown_fields"]:
            out.print(f"{entity}: fields that are not kept: {counts['unknown_fields']}", markup=False)
    _show_authors(document)
    for reason in document["fails"]:
        out.print(f"the import would fail: {reason}", markup=False)
    estimate = document["estimate"]
    out.print(f"the import would take about {estimate['seconds']:,.1f} s, by {estimate['by']}", markup=False)
    out.print("Nothing was written.")


def _show_counts(document: dict[str, Any]) -> None:
    table = Table(box=SIMPLE, title=f"plan of an import into {document['site']}")
    table.add_column("entity")
    shown = [name for name in COLUMNS if name != "deleted" or document["snapshot"]]
    for name in shown:
        table.add_column("would be deleted" if name == "deleted" else name, justify="right")
    rows = dict(document["entities"])
    if len(rows) > 1:
        rows["total"] = document
    for entity, counts in rows.items():
        table.add_row(entity, *("" if counts[name] is None else f"{counts[name]:,}" for name in shown))
    out.print(table)
    for entity, counts in document["entities"].items():
        for rule, number in counts["rejects_by_rule"].items():
            out.print(f"{entity}: {number:,} would be rejected by rule {rule}", markup=False)


def _show_authors(document: dict[str, Any]) -> None:
    if not document["authors"]:
        return
    among = f"{document['authors_moved']:,}" + (
        "" if document["all_authors_counted"] else " that were counted"
    )
    table = Table(box=SIMPLE, title=f"whose figures would move most, of {among} authors")
    for column in ("author", "name", "posts", "total score"):
        table.add_column(column, justify="right" if column in {"posts", "total score"} else "left")
    for author in document["authors"]:
        moved = (f"{author[name]:+,}" for name in ("posts", "total_score"))
        table.add_row(author["external_id"], author["name"] or "", *moved)
    out.print(table)
