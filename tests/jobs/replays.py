"""A site that a database refuses a part of, until it does not any more."""

from __future__ import annotations

import csv
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from xml.sax.saxutils import quoteattr

import msgspec
from sqlalchemy import select, text
from sqlalchemy.orm import undefer

from jobs.import_requests import ImportDump
from jobs.requests import RefreshAuthorStats, ReplayRejects
from jobs.sources import fields, lines
from models import Reject
from tests.chaos.truth import differences, truth
from tests.conftest import fresh_database
from tests.factories import SITE, json_posts, json_users, run_of, write_jsonl
from worker.execution import Executor
from worker.outcomes import Succeeded
from worker.resources import Resources, open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    import pytest

    from models import Run
    from tests.chaos.truth import Rows
    from worker.embedded import Services

    Rows_ = Sequence[dict[str, Any]]
    Write = Callable[[Path, str, Rows_], Path]

CONTENT = ("users", "posts", "tags", "post_tags", "author_stats", "stale_authors")
REFUSED = {"users": "external_id IN ('3', '5')", "posts": "score >= 7"}


def site() -> dict[str, list[dict[str, Any]]]:
    """Make users of whom two are refused, and posts of which some are.

    Of one post the earlier version is refused, of another the later.
    """
    posts = json_posts(120)
    posts.insert(70, posts[10] | {"score": 2, "title": "the later version of 10"})
    posts.insert(90, posts[11] | {"score": 9, "title": "the later version of 11"})
    return {"users": json_users(7), "posts": posts}


def as_jsonl(folder: Path, entity: str, rows: Rows_) -> Path:
    return write_jsonl(folder / f"{entity}.jsonl", rows)


def as_csv(folder: Path, entity: str, rows: Rows_) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / f"{entity}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(
            {**row, **({"tags": "|".join(row["tags"])} if "tags" in row else {})} for row in rows
        )
    return folder / f"{entity}.csv"


ATTRIBUTES = {
    "external_id": "Id",
    "name": "DisplayName",
    "author_external_id": "OwnerUserId",
    "content": "Body",
    "score": "Score",
    "created_at": "CreationDate",
    "title": "Title",
    "tags": "Tags",
}


def as_dump(folder: Path, entity: str, rows: Rows_) -> Path:
    def attribute(name: str, value: Any) -> str:
        written = "".join(f"<{tag}>" for tag in value) if name == "tags" else str(value)
        return f"{ATTRIBUTES[name]}={quoteattr(written)}"

    lines = ("  <row " + " ".join(attribute(*item) for item in row.items()) + " />\n" for row in rows)
    path = folder / f"{entity.title()}.xml"
    path.write_text(f'<?xml version="1.0"?>\n<{entity}>\n' + "".join(lines) + f"</{entity}>\n")
    return path


def as_parquet(folder: Path, entity: str, rows: Rows_) -> Path:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415 - likewise

    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), folder / f"{entity}.parquet")
    return folder / f"{entity}.parquet"


FORMATS: dict[str, Write] = {
    "jsonl": as_jsonl,
    "csv": as_csv,
    "stackexchange": as_dump,
    "parquet": as_parquet,
}


def write(folder: Path, format_: str, rows: dict[str, list[dict[str, Any]]]) -> Path:
    """Write the site to a folder."""
    folder.mkdir(exist_ok=True)
    for entity, of_entity in rows.items():
        FORMATS[format_](folder, entity, of_entity)
    return folder


async def refuse(resources: Resources) -> None:
    """Let the database refuse a part of the site."""
    await _each(resources, _refusals(resources.database.engine.dialect.name))


async def lift(resources: Resources) -> None:
    """Let the database take all again."""
    is_sqlite = resources.database.engine.dialect.name == "sqlite"
    if is_sqlite:
        await _each(
            resources, [f"DROP TRIGGER refuse_{event}_{table}" for table in REFUSED for event in EVENTS]
        )
    else:
        await _each(resources, [f"ALTER TABLE {table} DROP CONSTRAINT refused" for table in REFUSED])


EVENTS = ("insert", "update")


def _refusals(dialect: str) -> list[str]:
    if dialect != "sqlite":
        return [
            f"ALTER TABLE {table} ADD CONSTRAINT refused CHECK (NOT ({rule}))"
            for table, rule in REFUSED.items()
        ]
    return [
        f"CREATE TRIGGER refuse_{event}_{table} BEFORE {event} ON {table} WHEN NEW.{rule} "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        for table, rule in REFUSED.items()
        for event in EVENTS
    ]


async def _each(resources: Resources, statements: Sequence[str]) -> None:
    async with resources.database.writing.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def performed(resources: Resources, run_id: UUID) -> Run:
    """Carry out a run, and the runs that follow from it."""
    outcome = await Executor(resources).execute(run_id)
    assert isinstance(outcome, Succeeded), outcome
    return await run_of(resources, run_id)


async def imported(resources: Resources, folder: Path) -> Run:
    """Import the site."""
    return await performed(
        resources, await resources.client.enqueue(ImportDump(urls=(str(folder),), site=SITE))
    )


async def replayed(resources: Resources, run_id: UUID, rule: str | None = None) -> Run:
    """Replay the rejects of a run."""
    return await performed(resources, await resources.client.enqueue(ReplayRejects(run=run_id, rule=rule)))


def counts(run: Run) -> dict[str, dict[str, int]]:
    """Give the counts of a run's receipts that are not zero, by entity."""
    names = ("records_read", "inserted", "updated", "unchanged", "rejected", "skipped")
    return {r.entity: {n: getattr(r, n) for n in names if getattr(r, n)} for r in run.receipts}


@asynccontextmanager
async def another(
    backend: str, services: Services, request: pytest.FixtureRequest, folder: Path
) -> AsyncIterator[Resources]:
    """Open resources with another fresh database of the same kind."""
    folder.mkdir()
    async with fresh_database(backend, request, folder) as url:
        settings = Settings(
            database_url=url, redis_url=services.redis_url, home=folder, queue=f"test-{uuid4().hex}"
        )
        async with open_resources(settings, redis=True) as opened:
            yield opened


async def content(resources: Resources) -> dict[str, Rows]:
    """Read what was loaded, with statistics that have been refreshed."""

    await performed(resources, await resources.client.enqueue(RefreshAuthorStats()))
    found = await truth(resources.database)
    return {table: found[table] for table in CONTENT}


def unlike(found: dict[str, Rows], expected: dict[str, Rows]) -> list[str]:
    """Say how two databases differ."""
    return differences(found, expected)


async def rejects(resources: Resources) -> list[Reject]:
    """Read all rejects with their bytes."""
    async with resources.database.reading() as session:
        query = select(Reject).order_by(Reject.file_number, Reject.position).options(undefer(Reject.raw))
        return list(await session.scalars(query))


def shorten_titles(monkeypatch: pytest.MonkeyPatch, characters: int) -> None:
    """Read titles as a version did that had another limit: by the rules, as the usual types know ours."""
    nothing = msgspec.defstruct("Nothing", [], forbid_unknown_fields=True)
    monkeypatch.setattr(fields, "TITLE_CHARS", characters)
    monkeypatch.setitem(lines.DECODERS, "posts", msgspec.json.Decoder(nothing))
