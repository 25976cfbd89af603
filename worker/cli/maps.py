"""The map command: a mapping proposed for a file of another shape."""

from __future__ import annotations

import sys
from typing import Any, get_args

import click

from jobs.columns import Entity
from jobs.fetching.places import local_path
from jobs.request_values import FormatChoice
from jobs.sources.proposing import propose
from worker.cli.app import json_option, print_json
from worker.proposals import document_of, toml_of


@click.command(name="map")
@click.argument("path", metavar="FILE")
@click.option(
    "--entity", type=click.Choice(get_args(Entity)), help="What the file holds; guessed unless given."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([name for name in get_args(FormatChoice) if name not in {"auto", "stackexchange"}]),
    help="How the file is written; known from name and content unless given.",
)
@json_option
def map_(*, path: str, entity: Any, format_: Any, as_json: bool) -> None:
    """Propose a mapping for JSON Lines, CSV or Parquet, from the names and values of the first records.

    It is written as TOML, with the reason for each line, and can be given to `headrace import --map`. Look
    through it before: it is a guess.
    """
    proposal = propose(local_path(path), entity, format_)
    if as_json:
        print_json(document_of(proposal))
    else:
        click.echo(toml_of(proposal), nl=False)
    if proposal.missing:
        names = ", ".join(proposal.missing)
        click.echo(f"headrace: {path}: nothing looks like {names}; write where it is", err=True)
        sys.exit(1)
