"""The export command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
from pydantic import ValidationError

from jobs.errors import InputError
from jobs.request_values import COMPRESSION_ENDINGS, ExportEntity, ExportFormat
from jobs.requests import ExportRows
from worker.cli.app import err, run_async, start
from worker.here import carry_out
from worker.retries import describe


@click.command()
@click.argument("entity", type=click.Choice(get_args(ExportEntity)))
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write; one that ends in .gz or .zst is compressed so.",
)
@click.option("--site", help="Only rows of this site.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(ExportFormat)),
    help="jsonl, csv or parquet; known from the file's name unless given.",
)
def export(*, entity: Any, path: Path, site: str | None, format_: Any) -> None:
    """Export users, posts, tags or authors to a file, whole or not at all.

    Rows are streamed: memory does not grow with their number.
    """
    settings = start()
    chosen = format_ or _format_of(path)
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path.parent}: there is no such folder")
    try:
        request = ExportRows(entity=entity, path=str(path.absolute()), site=site, format=chosen)
    except ValidationError as error:
        raise click.UsageError(describe(error)) from error
    result = run_async(carry_out(settings, request))
    err.print(f"wrote {result['rows']:,} rows, {result['bytes']:,} bytes to {path}", markup=False)


def _format_of(path: Path) -> str:
    """Tell the format by the ending, or by the one before that of the compression."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in COMPRESSION_ENDINGS:
        endings.pop()
    found = endings[-1].removeprefix(".") if endings else ""
    if found not in get_args(ExportFormat):
        raise click.UsageError(f"{path.name}: give --format {' or '.join(get_args(ExportFormat))}")
    return found
