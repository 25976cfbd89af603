"""Exports: every row once, whole files or none, and readable as an import."""

from __future__ import annotations

import csv
import json
import os
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from jobs.errors import InputError
from jobs.import_requests import ImportPosts
from models.exports import EXPORTS
from tests.conftest import every_database
from tests.factories import NOON, SITE, post, run_of, store, user
from tests.jobs.exporting import export
from worker.execution import Executor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.resources import Resources


async def fill(resources: Resources) -> None:
    await store(
        resources.database,
        *(user(n, email=f"u{n}@example.org") for n in range(5)),
        *(
            post(n, n % 5, score=n, content=f'line\nbreak, "{n}"', title=None, tags=("b", "a"))
            for n in range(30)
        ),
    )
    await store(resources.database, post("elsewhere"), site="other")


@every_database
@pytest.mark.usefixtures("small_partitions")
async def test_posts_are_exported_once_each_with_their_tags(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    path = tmp_path / "posts.jsonl"
    result = await export(resources, path, "posts")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert result == {"rows": 30, "bytes": path.stat().st_size, "path": str(path), "snapshots": 1}
    assert [row["external_id"] for row in rows] == [str(n) for n in range(30)]
    assert rows[3] == {
        "site": SITE,
        "external_id": "3",
        "author_external_id": "3",
        "author_name": None,
        "parent_external_id": None,
        "kind": "post",
        "title": None,
        "content": 'line\nbreak, "3"',
        "score": 3,
        "created_at": "2026-01-01T12:00:00Z",
        "tags": ["a", "b"],
    }


@every_database
async def test_authors_are_exported_with_exact_figures(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    path = tmp_path / "authors.jsonl"
    await export(resources, path, "authors")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert set(rows[0]) == set(EXPORTS["authors"])
    assert [(row["external_id"], row["post_count"], row["total_score"]) for row in rows] == [
        (str(n), 6, 6 * n + 75) for n in range(5)
    ]
    assert datetime.fromisoformat(rows[0]["first_post_at"]) == NOON.astimezone(UTC)


@every_database
async def test_csv_quotes_what_must_be_quoted(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    path = tmp_path / "posts.csv"
    await export(resources, path, "posts", site=None)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 31
    assert tuple(rows[0]) == EXPORTS["posts"]
    assert rows[4]["content"] == 'line\nbreak, "4"'
    assert rows[4]["tags"] == "a|b"


@every_database
@pytest.mark.parametrize("format_", ["jsonl", "csv"])
async def test_an_export_can_be_imported_again_and_changes_nothing(
    resources: Resources, tmp_path: Path, format_: str
) -> None:
    await fill(resources)
    path = tmp_path / f"posts.{format_}"
    await export(resources, path, "posts")
    run_id = await resources.client.enqueue(ImportPosts(url=str(path), site=SITE))
    await Executor(resources).execute(run_id)
    (receipt,) = (await run_of(resources, run_id)).receipts
    assert (receipt.unchanged, receipt.records_read, receipt.unknown_fields) == (30, 30, {})


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Refuse files of more than a kilobyte, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
async def test_a_failed_export_leaves_the_old_file_and_nothing_else(
    resources: Resources, tmp_path: Path
) -> None:
    await fill(resources)
    path = tmp_path / "posts.jsonl"
    path.write_text("old")
    with pytest.raises(InputError, match=r"posts\.jsonl: cannot be written \(File too large\)"):
        await export(resources, path, "posts")
    assert [file.name for file in tmp_path.iterdir()] == ["posts.jsonl"]
    assert path.read_text() == "old"


async def test_a_device_or_a_pipe_is_not_replaced_and_a_link_stays_a_link(
    resources: Resources, tmp_path: Path
) -> None:
    await fill(resources)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        await export(resources, tmp_path / "pipe", "users", format="jsonl")
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    await export(resources, tmp_path / "link.jsonl", "users")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert len((tmp_path / "real.jsonl").read_text().splitlines()) == 5


async def test_a_name_as_long_as_the_file_system_allows_can_be_written(
    resources: Resources, tmp_path: Path
) -> None:
    path = tmp_path / ("x" * 249 + ".jsonl")
    await export(resources, path, "users")
    assert path.exists()


@every_database
async def test_users_and_tags_are_exported_with_the_columns_of_the_contract(
    resources: Resources, tmp_path: Path
) -> None:
    await fill(resources)
    await export(resources, tmp_path / "users.jsonl", "users")
    await export(resources, tmp_path / "tags.jsonl", "tags")
    first = json.loads((tmp_path / "users.jsonl").read_text().splitlines()[0])
    assert list(first) == ["site", "external_id", "name", "email", "reputation", "created_at"]
    assert [json.loads(line) for line in (tmp_path / "tags.jsonl").read_text().splitlines()] == [
        {"name": "a"},
        {"name": "b"},
    ]
