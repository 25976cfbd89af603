"""Makers of values and rows, with overrides."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from jobs.client import row_of
from jobs.context import JobContext
from jobs.requests import RefreshAuthorStats
from jobs.sources.record import PostRecord, TagRecord, UserRecord
from jobs.writers.posts import write_posts
from jobs.writers.registry import choose_writer
from jobs.writers.users import write_users
from models import Database, Post, Run
from models.claim import claim
from models.post import link_parents
from models.run_file import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import ColumnElement

    from jobs.requests import Request
    from jobs.writers.writer import Writer
    from models.base import Base
    from worker.resources import Resources

SITE = "tests"
ORIGIN = Origin(SITE)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def user(external_id: object, **overrides: Any) -> UserRecord:
    """Make a user record."""
    values: dict[str, Any] = {"name": f"user {external_id}", "reputation": 1, "created_at": NOON} | overrides
    return UserRecord(offset=0, end=1, raw=b"", external_id=str(external_id), **values)


def post(external_id: object, author: object = None, **overrides: Any) -> PostRecord:
    """Make a post record."""
    values: dict[str, Any] = {"created_at": NOON, "content": "one two three"} | overrides
    values |= {"external_id": str(external_id), "author_external_id": None if author is None else str(author)}
    return PostRecord(offset=0, end=1, raw=b"", **values)


def tag(name: str) -> TagRecord:
    """Make a tag record."""
    return TagRecord(offset=0, end=1, raw=b"", name=name)


def writer_for(database: Database, name: str = "auto") -> Writer:
    """Choose a writer as an import does."""
    return choose_writer(name, database.engine.dialect.name)


async def store(database: Database, *records: UserRecord | PostRecord, site: str = SITE) -> None:
    """Write records as one committed batch each, users first, and link them as the end of an import does."""
    users = [record for record in records if isinstance(record, UserRecord)]
    posts = [record for record in records if isinstance(record, PostRecord)]
    async with database.writing.begin() as session:
        await write_users(writer_for(database), session, Origin(site), users)
    async with database.writing.begin() as session:
        await write_posts(writer_for(database), session, Origin(site), posts)
        await link_parents(session, site, len(posts))


async def running(resources: Resources, request: Request | None = None, **overrides: Any) -> JobContext:
    """Ask for a job, claim its run past all limits and give the context of its first attempt."""
    row = row_of(request or RefreshAuthorStats()) | {"limit_key": None, "limit_count": None}
    [run_id] = await resources.client.add([row])
    async with resources.database.writing.begin() as session:
        [run] = await claim(session, [run_id], "tests", 60)
    return JobContext(run_id=run.id, attempt=run.attempt, database=resources.database, **overrides)


async def run_of(resources: Resources, run_id: Any) -> Run:
    """Read a run with its receipts."""
    async with resources.database.reading() as session:
        run = await session.get_one(Run, run_id)
        await run.awaitable_attrs.receipts
        return run


async def posts_of(database: Database, site: str = SITE) -> dict[str, Post]:
    """Read all posts of a site, by external id."""
    async with database.reading() as session:
        rows = await session.scalars(select(Post).where(Post.site == site))
        return {row.external_id: row for row in rows}


async def count_of(database: Database, model: type[Base], *conditions: ColumnElement[bool]) -> int:
    """Count the rows of a table, or those that meet conditions."""
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as CSV with tags joined by `|`."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"tags": "|".join(row["tags"])} for row in rows)
    return path


def json_posts(how_many: int, authors: int = 7) -> list[dict[str, Any]]:
    """Make posts as JSON Lines carry them."""
    return [
        {
            "external_id": number,
            "author_external_id": number % authors,
            "content": f"text of post {number}",
            "score": number % 11 - 3,
            "created_at": (NOON + timedelta(hours=number)).isoformat(),
            "tags": [f"tag-{number % 5}", "all"],
        }
        for number in range(how_many)
    ]


def json_users(how_many: int) -> list[dict[str, Any]]:
    """Make users as JSON Lines carry them."""
    return [{"external_id": number, "name": f"user {number}"} for number in range(how_many)]
