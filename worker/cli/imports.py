"""The import command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from pydantic import ValidationError

from jobs.fetching.archives import is_archive
from jobs.fetching.places import is_local, local_path
from jobs.import_requests import ImportDump, ImportPosts, ImportTags, ImportUsers
from jobs.loading import layouts_of
from jobs.mapping_file import read_mapping
from jobs.request_values import FormatChoice, Missing
from jobs.writers.registry import choose_writer
from worker.cli.app import start
from worker.cli.asking import answer, asking_options, writer_option
from worker.cli.plans import plan_instead
from worker.cli.standard_input import input_kept
from worker.retries import describe

if TYPE_CHECKING:
    from jobs.requests import Request

IMPORT_OF = {"users": ImportUsers, "posts": ImportPosts, "tags": ImportTags}


@click.command(name="import")
@click.argument("paths", metavar="PATH|URL...", nargs=-1, required=True)
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
@writer_option
@click.option(
    "--map",
    "map_",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Where the fields are in JSON Lines, CSV or Parquet of another shape; `headrace map` proposes it.",
)
@click.option("--split", is_flag=True, help="Cut the files into ranges, each loaded by a run of its own.")
@click.option(
    "--max-rejects",
    metavar="N|P%",
    help="Fail before more records than this are rejected, or more than this share of those read.",
)
@click.option("--snapshot", is_flag=True, help="Make the site equal to the files: they are all of it.")
@click.option(
    "--missing",
    type=click.Choice(get_args(Missing)),
    help="With --snapshot: what becomes of rows that the files lack.  [default: delete]",
)
@click.option(
    "--force", is_flag=True, help="With --snapshot: also where they lack a large share of the site."
)
@click.option("--plan", is_flag=True, help="Say what the import would do, and write nothing.")
@asking_options
def import_(  # noqa: PLR0913 - the contract's options
    *,
    paths: tuple[str, ...],
    site: str,
    entity: Any,
    format_: Any,
    writer: Any,
    map_: Path | None,
    split: bool,
    max_rejects: str | None,
    snapshot: bool,
    missing: Any,
    force: bool,
    plan: bool,
    wait: bool,
    with_worker: bool,
    as_json: bool,
) -> None:
    """Import Stack Exchange XML, JSON Lines, CSV or Parquet, or folders with Users, Tags and Posts files.

    They may lie on this host, at an http(s) URL or in an object store, and in a 7z archive; - is standard
    input.

    New rows are inserted, changed rows updated, unchanged rows left alone; records that cannot be loaded
    are kept as rejects. Importing again is safe.

    Files whose fields have other names than those of `headrace export` are read by a mapping (--map):
    lines like `content = "body"` and `author.external_id = "account.id"`.
    """
    settings = start()
    choose_writer(writer, settings.dialect)
    how = snapshot_fields(missing, snapshot=snapshot, force=force) | {"max_rejects": max_rejects}
    if plan and (wait or with_worker):
        raise click.UsageError("--plan makes no run that could be waited for")
    how["mapping"] = read_mapping(map_) if map_ else None
    with input_kept(paths, settings) as kept:
        request = request_for(kept, site, entity, format_, writer, split=split, **how)
        if plan:
            plan_instead(settings, request, {*kept} - {*paths}, as_json=as_json)
            return
    answer(settings, request, wait=wait, with_worker=with_worker, as_json=as_json)


def snapshot_fields(missing: Any, *, snapshot: bool, force: bool) -> dict[str, Any]:
    """Give the fields of a request that a snapshot has more.

    Raises:
        click.UsageError: it is none, and so there is nothing that they could mean.

    """
    if not snapshot and (missing or force):
        raise click.UsageError("--missing and --force are for --snapshot")
    return {"snapshot": True, "missing": missing or "delete", "force": force} if snapshot else {}


def request_for(
    paths: tuple[str, ...],
    site: str,
    entity: Any,
    format_: Any,
    writer: Any,
    *,
    split: bool = False,
    **how: Any,
) -> Request:
    """Make the request for one file, or for several and folders; look into those that are here before asking.

    `how` are fields that every import has.

    Raises:
        InputError: a file is missing or not what it is said to be.
        click.UsageError: an option cannot be meant so.

    """
    urls = tuple(str(local_path(path).absolute()) if is_local(path) else path for path in paths)
    plain = [url for url in urls if is_local(url) and not is_archive(Path(url))]
    several = len(urls) > 1 or Path(urls[0]).is_dir()
    if several and entity != "auto":
        raise click.UsageError("--entity is for a single file; a folder's files are known by their names")
    if split and entity != "auto":
        raise click.UsageError("--split takes files whose name or content says what they hold")
    if split and len(plain) < len(urls):
        raise click.UsageError("--split takes files and folders of this host that are no archives")
    layouts = layouts_of(plain, format_, None if entity == "auto" else entity, how.get("mapping"))
    known = [layout.entity for layout in layouts]
    if entity != "auto":
        known = [entity]
    how |= {"site": site, "format": format_, "writer": writer}
    try:
        if several or split or not known:
            return ImportDump(urls=urls, split=split, **how)
        return IMPORT_OF[known[0]](url=urls[0], **how)
    except ValidationError as error:
        raise click.UsageError(describe(error)) from error
