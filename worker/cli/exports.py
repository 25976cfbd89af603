"""The export command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
from pydantic import ValidationError

from jobs.errors import InputError
from jobs.requests import ExportEntity, ExportFormat, ExportRows
from worker.cli.app import err, run_async, start
from worker.here import carry_out
from worker.retries import describe


@click.command()
@click.argument("entity", type=click.Choice(get_args(ExportEntity)))
@click.option("--to", "path", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--site", help="Only rows of this site.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(ExportFormat)),
    help="jsonl or csv; known from the file's name unless given.",
)
def export(*, entity: Any, path: Path, site: str | None, format_: Any) -> None:
    """Export users, posts, tags or authors to a file, whole or not at all.

    Rows are streamed: memory does not grow with their number.
    """
    settings = start()
    chosen = format_ or path.suffix.lstrip(".").lower()
    if chosen not in get_args(ExportFormat):
        raise click.UsageError(f"{path.name}: give --format {' or '.join(get_args(ExportFormat))}")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path.parent}: there is no such folder")
    try:
        request = ExportRows(entity=entity, path=str(path.absolute()), site=site, format=chosen)
    except ValidationError as error:
        raise click.UsageError(describe(error)) from error
    result = run_async(carry_out(settings, request))
    err.print(f"wrote {result['rows']:,} rows, {result['bytes']:,} bytes to {path}", markup=False)
