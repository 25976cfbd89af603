"""Measure loading, export and statistics beside others: `make bench-load` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.loading.chart import draw
from bench.loading.measures import MEASURES
from bench.loading.playing import GROWTH, MEMORY, play
from bench.loading.report import report
from bench.processes import BenchError
from bench.report import NoPlaceError, write_into
from worker.cli.app import run_async

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = (*dict.fromkeys(measure.name for measure in MEASURES), GROWTH, MEMORY)


@click.command()
@click.option("--rows", default=200_000, show_default=True, type=click.IntRange(200), help="Posts.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1), help="In turns.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(NAMES),
    default=NAMES,
    show_default="all",
    help="Which measures.",
)
@click.option("--growth", "largest", is_flag=True, help="Let it grow to 25 times the rows as well.")
@click.option("--profile", is_flag=True, help="Sample three more imports with py-spy.")
@click.option(
    "--markdown", type=click.Path(path_type=Path, exists=True), help="Document to write the result into."
)
def main(
    *, rows: int, repeats: int, only: Sequence[str], largest: bool, profile: bool, markdown: Path | None
) -> None:
    """Measure Headrace beside other loaders on the same posts, on an embedded PostgreSQL as it comes."""
    try:
        found = run_async(play(rows, repeats, set(only), largest=largest, profile=profile))
        chart = f"{markdown.stem if markdown else 'performance'}-growth.svg"
        text = report(found, chart)
        print(text)
        if markdown:
            write_into(markdown, text)
            if found.growth:
                (markdown.parent / chart).write_text(draw(found.growth))
    except (BenchError, NoPlaceError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
