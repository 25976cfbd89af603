"""What the thread that reads does for the next batch, while the one before is being written or compared."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobs import chunks, loading
from jobs.chunks import take_posts
from jobs.loading import layouts_of, load
from jobs.writers import post_rows, posts
from models.copying import prepare_copy
from models.tag import tag_names_of
from tests.factories import (
    SITE,
    json_posts,
    posts_of,
    run_of,
    running,
    store,
    user,
    write_jsonl,
    writer_for,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from jobs.chunks import Chunk
    from models.copying import Copy
    from worker.resources import Resources


async def test_new_posts_are_made_ready_in_the_reading_thread_while_those_before_are_written(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(resources.database, *(user(n) for n in range(7)))
    usual, batches, threads, reads = writer_for(resources.database), itertools.count(1), list[str](), []

    def take(*arguments: Any) -> Chunk:
        chunk = take_posts(*arguments)
        reads.append(chunk)
        return chunk

    def prepare(table: Any, columns: Any, new: Any) -> Copy:
        if table.name == "posts":
            threads.append(threading.current_thread().name.rpartition("_")[0])
        return prepare_copy(table, columns, new)

    async def at_leisure() -> None:
        """Wait until the next batch is ready, but for the second, and the one after it has been read."""
        batch = next(batches)
        async with asyncio.timeout(60):
            while len(threads) < min(batch, 4) * (batch > 1) or len(reads) < batch + 2:
                await asyncio.sleep(0.005)

    async def insert(*arguments: Any) -> Any:
        await at_leisure()
        return await usual.insert(*arguments)

    async def send(session: Any, copy: Copy) -> None:
        if copy.table == "posts":
            await at_leisure()
        await usual.send(session, copy)

    monkeypatch.setattr(loading, "take_posts", take)
    rows = [row | {"parent_external_id": str(row["external_id"] - 1)} for row in json_posts(500)]
    writer = replace(usual, insert=insert, prepare=prepare, send=send)
    context = await running(resources, batch_size=100)
    layouts = layouts_of([str(write_jsonl(tmp_path / "posts.jsonl", rows))], "jsonl", "posts")
    await load(context, layouts, SITE, writer)
    # Nobody expects the first batch to be new, and so the second was not made ready meanwhile.
    assert threads == ["", "reading", "reading", "reading"]
    stored = await posts_of(resources.database)
    assert all(row.author_id for row in stored.values())
    assert all(stored[str(n)].parent_id == stored[str(n - 1)].id for n in range(1, 500))


async def test_a_batch_with_more_to_do_than_to_insert_goes_the_usual_way(
    resources: Resources, tmp_path: Path
) -> None:
    rows = [row | {"parent_external_id": str(row["external_id"] - 1)} for row in json_posts(600)]
    rows[250] = rows[150] | {"score": 99}  # in the batch after the one that inserts it
    rows[350]["tags"] = ["nobody had it before"]
    rows[470] = rows[420] | {"score": 98}  # in the same batch
    context = await running(resources, batch_size=100)
    layouts = layouts_of([str(write_jsonl(tmp_path / "posts.jsonl", rows))], "jsonl", "posts")
    await load(context, layouts, SITE, writer_for(resources.database))
    [receipt] = (await run_of(resources, context.run_id)).receipts
    assert (receipt.records_read, receipt.inserted, receipt.updated) == (600, 598, 2)
    stored = await posts_of(resources.database)
    assert (stored["150"].score, stored["420"].score) == (99, 98)
    async with resources.database.reading() as session:
        assert await tag_names_of(session, [stored["350"].id]) == {stored["350"].id: ["nobody had it before"]}
    without = {key for key, row in stored.items() if row.parent_id is None}
    assert without == {"0", "251", "471"}  # their parents are nowhere in the file


async def test_what_known_posts_say_is_written_by_the_reading_thread(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def lines_of(*arguments: Any) -> bytes:
        threads.append(threading.current_thread().name.rpartition("_")[0])
        return post_rows.lines_of(*arguments)

    monkeypatch.setattr(chunks, "lines_of", lines_of)
    monkeypatch.setattr(posts, "lines_of", lines_of)
    rows = [row | {"tags": ["snow", f"tag-{row['external_id'] % 3}"]} for row in json_posts(500)]
    writer = writer_for(resources.database)
    for changes, outcome in (({}, (500, 0, 0)), ({450: {"score": 99, "content": "größer 🦦"}}, (0, 1, 499))):
        threads.clear()
        rows = [row | changes.get(number, {}) for number, row in enumerate(rows)]
        layouts = layouts_of([str(write_jsonl(tmp_path / "posts.jsonl", rows))], "jsonl", "posts")
        context = await running(resources, batch_size=100)
        await load(context, layouts, SITE, writer)
        [receipt] = (await run_of(resources, context.run_id)).receipts
        assert (receipt.inserted, receipt.updated, receipt.unchanged) == outcome
    # Nobody knows yet that the second is there, too, when it is read; behind the fifth there is nothing.
    assert threads == ["", "", "reading", "reading", "reading", "reading"]
    assert (await posts_of(resources.database))["450"].content == "größer 🦦"
