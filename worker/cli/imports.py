"""The import command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from pydantic import ValidationError

from jobs.loading import layouts_of, local_path
from jobs.mapping_file import read_mapping
from jobs.requests import FormatChoice, ImportDump, ImportPosts, ImportTags, ImportUsers, WriterChoice
from jobs.writers.registry import choose_writer
from models.run import State
from worker.cli.app import err, json_option, print_json, run_async, start
from worker.cli.progress import follow, run_document
from worker.cli.tables import show_receipt
from worker.main import working
from worker.resources import open_resources
from worker.retries import describe

if TYPE_CHECKING:
    from jobs.mapping import FieldMapping
    from jobs.requests import Request
    from worker.settings import Settings

IMPORT_OF = {"users": ImportUsers, "posts": ImportPosts, "tags": ImportTags}


@click.command(name="import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--site", required=True, help="Where the data comes from; part of every natural key.")
@click.option(
    "--entity",
    type=click.Choice(["auto", *IMPORT_OF]),
    default="auto",
    show_default=True,
    help="What a single file holds.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(FormatChoice)),
    default="auto",
    show_default=True,
    help="How the files are written; known from name and content unless given.",
)
@click.option(
    "--writer",
    type=click.Choice(get_args(WriterChoice)),
    default="auto",
    show_default=True,
    help="How rows are put into the tables.",
)
@click.option(
    "--map",
    "map_",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Where the fields are in JSON Lines, CSV or Parquet of another shape; `headrace map` proposes it.",
)
@click.option("--split", is_flag=True, help="Cut the files into ranges, each loaded by a run of its own.")
@click.option("--wait", is_flag=True, help="Wait for the end; non-zero if the run failed.")
@click.option("--with-worker", is_flag=True, help="Run a worker inside this command until the run ends.")
@json_option
def import_(  # noqa: PLR0913 - the contract's options
    *,
    paths: tuple[str, ...],
    site: str,
    entity: Any,
    format_: Any,
    writer: Any,
    map_: Path | None,
    split: bool,
    wait: bool,
    with_worker: bool,
    as_json: bool,
) -> None:
    """Import Stack Exchange XML, JSON Lines, CSV or Parquet, or folders with Users, Tags and Posts files.

    New rows are inserted, changed rows updated, unchanged rows left alone; records that cannot be loaded
    are kept as rejects. Importing again is safe.

    Files whose fields have other names than those of `headrace export` are read by a mapping (--map):
    lines like `content = "body"` and `author.external_id = "account.id"`.
    """
    settings = start()
    choose_writer(writer, settings.dialect)
    mapping = read_mapping(map_) if map_ else None
    request = request_for(paths, site, entity, format_, writer, split=split, mapping=mapping)
    document = run_async(_import(settings, request, wait=wait, with_worker=with_worker))
    if as_json:
        print_json(document)
    elif wait or with_worker:
        show_receipt(document)
    else:
        err.print(f"queued run {document['run_id']}; `headrace run {document['run_id']}` shows how it goes")
    if document["state"] in {State.FAILED, State.CANCELLED}:
        err.print(f"headrace: {document['error'] or document['state']}", markup=False)
        sys.exit(1)


def request_for(  # noqa: PLR0913 - what the options say
    paths: tuple[str, ...],
    site: str,
    entity: Any,
    format_: Any,
    writer: Any,
    *,
    split: bool = False,
    mapping: FieldMapping | None = None,
) -> Request:
    """Make the request for one file, or for several and folders; look into the files before asking.

    Raises:
        InputError: a file is missing or not what it is said to be.
        click.UsageError: an option cannot be meant so.

    """
    absolute = tuple(str(local_path(path).absolute()) for path in paths)
    several = len(paths) > 1 or Path(absolute[0]).is_dir()
    if several and entity != "auto":
        raise click.UsageError("--entity is for a single file; a folder's files are known by their names")
    if split and entity != "auto":
        raise click.UsageError("--split takes files whose name or content says what they hold")
    layouts = layouts_of(absolute, format_, None if entity == "auto" else entity, mapping)
    how: dict[str, Any] = {"site": site, "format": format_, "writer": writer, "mapping": mapping}
    try:
        if several or split:
            return ImportDump(urls=absolute, split=split, **how)
        return IMPORT_OF[layouts[0].entity](url=absolute[0], **how)
    except ValidationError as error:
        raise click.UsageError(describe(error)) from error


async def _import(settings: Settings, request: Request, *, wait: bool, with_worker: bool) -> dict[str, Any]:
    async with open_resources(settings, redis=True) as resources:
        run_id = await resources.client.enqueue(request)
        if with_worker:
            async with working(resources):
                return await follow(resources, run_id)
        if wait:
            return await follow(resources, run_id)
        return await run_document(resources, run_id)
