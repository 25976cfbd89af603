"""The explain command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jobs.errors import InputError
from jobs.origins import origin_of
from models.post_search import post_by_key
from models.tag import Tag, tag_by_name
from models.user import User, user_by_key
from worker.cli.app import json_option, out, print_json, run_async, start
from worker.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from worker.settings import Settings

FIGURES = {
    "user": ("site", "external_id", "name", "reputation", "created_at"),
    "post": (
        "site",
        "external_id",
        "author_external_id",
        "kind",
        "title",
        "score",
        "word_count",
        "created_at",
    ),
    "tag": ("name",),
}
WORDS = {"user": "SITE ID", "post": "SITE ID", "tag": "NAME"}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("kind", type=click.Choice(list(FIGURES)))
@click.argument("key", metavar="SITE ID | NAME", nargs=-1, required=True)
@json_option
def explain(*, kind: str, key: tuple[str, ...], as_json: bool) -> None:
    """Say where a row came from: file, offset, run, repairs, and the original bytes.

    A user or post is named by its site and the site's own id, a tag by its name.
    """
    if len(key) != len(WORDS[kind].split()):
        raise click.UsageError(f"say `headrace explain {kind} {WORDS[kind]}`")
    document = run_async(_explain(start(), kind, key))
    if as_json:
        print_json(document)
    else:
        _show(document)


async def _explain(settings: Settings, kind: str, key: Sequence[str]) -> dict[str, Any]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        row = await _find(session, kind, key)
        figures = {name: getattr(row, name) for name in FIGURES[kind]}
        origin = await origin_of(session, row)
    if origin["raw"] is not None:
        origin["raw"] = origin["raw"].decode(errors="backslashreplace")
    return {"kind": kind, "row": figures, **origin}


async def _find(session: AsyncSession, kind: str, key: Sequence[str]) -> User | Post | Tag:
    """Find a row.

    Raises:
        InputError: there is none.

    """
    if kind == "tag":
        row: User | Post | Tag | None = await tag_by_name(session, key[0])
    else:
        row = await (user_by_key if kind == "user" else post_by_key)(session, key[0], key[1])
    if row is None:
        where = f"site {key[0]!r} has" if kind != "tag" else "there is"
        raise InputError(f"{where} no {kind} {key[-1]!r}")
    return row


def _show(document: dict[str, Any]) -> None:
    for line in _lines(document):
        out.print(line, markup=False)


def _lines(document: dict[str, Any]) -> list[str]:
    figures = ", ".join(f"{name} {value}" for name, value in document["row"].items() if value is not None)
    lines = [f"{document['kind']}: {figures}"]
    if document["missing_since"]:
        lines.append(f"missing from the site's snapshots since {document['missing_since']:%Y-%m-%d %H:%M:%S}")
    file, run = document["file"], document["run"]
    if file is None:
        return [
            *lines,
            "no file: it was made or changed by hand, or comes from before files were written down",
        ]
    at = "" if file["position"] is None else f", record at {file['position']}"
    path = file["path"] or "a list in the request"
    lines.append(f"file: {path} ({file['format']}{at}), {file['is']} since it was read")
    lines.append(f"run: {run['run_id']} {_ran(run)}; read at {file['read_at']:%Y-%m-%d %H:%M:%S}")
    if document["repairs"]:
        lines.append(f"repairs: {document['repairs']:,} characters were replaced")
    if document["why_no_raw"]:
        lines.append(f"the original cannot be shown: {document['why_no_raw']}")
    if document["raw"] is not None:
        lines += ["original:", f"    {document['raw']}"]
    return lines


def _ran(run: dict[str, Any]) -> str:
    return f"({run['job']}, {run['state']})" if run["job"] else "(pruned since)"
