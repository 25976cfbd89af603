"""Commands for what could not be loaded: rejects and replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.errors import InputError
from jobs.mapping_file import read_mapping
from jobs.requests import ReplayRejects
from jobs.writers.registry import choose_writer
from models.reject import rejects_by_rule, rejects_of
from worker.cli.app import json_option, out, print_json, run_async, start
from worker.cli.asking import answer, asking_options, writer_option
from worker.cli.reject_list import reject_document, show_rejects
from worker.cli.runs import find_run
from worker.resources import open_resources

if TYPE_CHECKING:
    from uuid import UUID

    from worker.settings import Settings

rule_option = click.option("--rule", metavar="R", help="Only rejects that broke this rule.")


@click.command()
@click.argument("run_id", metavar="RUN")
@rule_option
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)
@json_option
def rejects(*, run_id: str, rule: str | None, limit: int, as_json: bool) -> None:
    """List what a run and its parts could not load: by rule with counts, then the records in file order."""
    document = run_async(_rejects(start(), run_id, rule, limit))
    if as_json:
        print_json(document)
        return
    for name, counts in document["by_rule"].items():
        out.print(f"{counts['open']:,} open, {counts['replayed']:,} replayed: {name}", markup=False)
    show_rejects(document["rejects"])
    total = sum(sum(counts.values()) for counts in document["by_rule"].values())
    if total > len(document["rejects"]):
        out.print(f"{len(document['rejects']):,} of {total:,} rejects; --limit shows more", markup=False)


async def _rejects(settings: Settings, prefix: str, rule: str | None, limit: int) -> dict[str, Any]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        run_id = (await find_run(session, prefix)).id
        counts = await rejects_by_rule(session, run_id)
        if rule is not None:
            counts = {name: count for name, count in counts.items() if name == rule}
        rows = await rejects_of(session, run_id, limit, rule=rule)
    return {
        "run_id": str(run_id),
        "by_rule": {name: count._asdict() for name, count in counts.items()},
        "rejects": [reject_document(reject) for reject, _ in rows],
    }


@click.command()
@click.argument("run_id", metavar="RUN")
@rule_option
@writer_option
@click.option(
    "--map",
    "map_",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Read them by this mapping, in the place of the one that the import had.",
)
@asking_options
def replay(  # noqa: PLR0913 - the contract's options
    *,
    run_id: str,
    rule: str | None,
    writer: Any,
    map_: Path | None,
    wait: bool,
    with_worker: bool,
    as_json: bool,
) -> None:
    """Load the rejects of a run again that are still open, after what was wrong has been mended.

    What can be loaded now is, once; the rest stays open with the new reason. A record whose row is newer by
    now is skipped.
    """
    settings = start()
    choose_writer(writer, settings.dialect)
    mapping = read_mapping(map_) if map_ else None
    found = run_async(_find(settings, run_id, rule))
    request = ReplayRejects(run=found, rule=rule, writer=writer, mapping=mapping)
    answer(settings, request, wait=wait, with_worker=with_worker, as_json=as_json)


async def _find(settings: Settings, prefix: str, rule: str | None) -> UUID:
    """Find the run; a rule that none of its rejects broke is a mistake."""
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        run_id = (await find_run(session, prefix)).id
        counts = await rejects_by_rule(session, run_id)
    if rule is not None and rule not in counts:
        broken = ", ".join(counts) or "none"
        raise InputError(
            f"no reject of run {run_id} broke the rule {rule!r}; rules that were broken: {broken}"
        )
    return run_id
