"""Imports of what lies elsewhere: over http, in object stores, in archives, on standard input."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from signal import SIGKILL, SIGTERM, Signals
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from jobs.import_requests import ImportDump, ImportPosts
from models import Reject, Run, State
from models.clock import now
from models.family import cancel_runs
from tests.chaos.fail_points import COMMITTED_NOT_SEEN
from tests.chaos.held import hold
from tests.conftest import every_database
from tests.factories import SITE, json_posts, json_users, run_of, write_jsonl
from tests.jobs.fetching.serving import Site, served
from tests.jobs.fetching.test_archives import archive_of
from worker.dispatcher import dispatch
from worker.execution import Executor
from worker.fetching import fetcher_of, sweep
from worker.outcomes import Failed, Interrupted, Retry, Succeeded

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tests.conftest import CommandLine
    from worker.resources import Resources


@pytest.fixture
def near(resources: Resources) -> Resources:
    """Resources of a worker that may ask loopback."""
    return _with(resources, import_private_hosts=True)


def _with(resources: Resources, **changes: Any) -> Resources:
    return replace(resources, settings=resources.settings.model_copy(update=changes))


def posts(folder: Path, how_many: int) -> bytes:
    return write_jsonl(folder / "made.jsonl", json_posts(how_many)).read_bytes()


async def interrupted(resources: Resources, run_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an attempt commit a few batches, and end as when its worker shuts down."""
    held, executor = hold(COMMITTED_NOT_SEEN, monkeypatch), Executor(resources)
    attempt = asyncio.create_task(executor.execute(run_id))
    await held.reached.wait()
    executor.stopping.set()
    held.released.set()
    assert isinstance(await attempt, Interrupted)


async def taken_back(resources: Resources) -> None:
    """Let the lease of a killed worker run out, and its run be queued again."""
    async with resources.database.writing.begin() as session:
        await session.execute(update(Run).values(lease_until=now(-1)))
    await dispatch(resources)


def spooled(resources: Resources) -> list[str]:
    folder = fetcher_of(resources.settings).spool.folder
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@every_database
async def test_a_file_on_a_web_server_is_imported_and_leaves_nothing_in_the_spool(
    near: Resources, tmp_path: Path
) -> None:
    async with served(Site(posts(tmp_path, 60) + b"{broken\n", cuts=[5_000])) as site:
        url = site.url("posts.jsonl?key=secret")
        run_id = await near.client.enqueue(ImportPosts(url=url, site=SITE))
        assert isinstance(await Executor(near).execute(run_id), Succeeded)
    run = await run_of(near, run_id)
    assert (run.receipts[0].inserted, run.receipts[0].rejected) == (60, 1)
    async with near.database.reading() as session:
        assert await session.scalar(select(Reject.source)) == site.url("posts.jsonl?key=***")
    assert spooled(near) == []


@every_database
async def test_an_import_that_is_interrupted_goes_on_on_another_host_which_fetches_again(
    near: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = _with(near, home=tmp_path / "another host")
    async with served(Site(posts(tmp_path, 6_000))) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        await interrupted(near, run_id, monkeypatch)
        assert "posts.jsonl" in spooled(near)
        assert isinstance(await Executor(elsewhere).execute(run_id), Succeeded)
        assert [asked["method"] for asked in site.asked] == ["GET", "GET"]
    run = await run_of(near, run_id)
    assert (run.attempt, run.receipts[0].records_read, run.receipts[0].inserted) == (2, 6_000, 6_000)
    await sweep(near)
    assert spooled(near) == spooled(elsewhere) == []


async def test_an_import_whose_source_changed_before_another_host_fetched_it_is_refused(
    near: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = _with(near, home=tmp_path / "another host")
    async with served(Site(posts(tmp_path, 6_000))) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        await interrupted(near, run_id, monkeypatch)
        site.content = site.content + b"\n"
        outcome = await Executor(elsewhere).execute(run_id)
    assert isinstance(outcome, Failed)
    assert "changed while it was being imported" in outcome.error


async def test_an_attempt_on_the_same_host_fetches_nothing_again(
    near: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(Site(posts(tmp_path, 6_000))) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        await interrupted(near, run_id, monkeypatch)
        assert isinstance(await Executor(near).execute(run_id), Succeeded)
        assert len(site.asked) == 1


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
async def test_a_signal_ends_a_fetch_promptly_and_what_is_there_is_gone_on_with(
    near: Resources, headrace: CommandLine, tmp_path: Path, number: Signals
) -> None:
    private = {"HEADRACE_IMPORT_PRIVATE_HOSTS": "true", "HEADRACE_SHUTDOWN_SECONDS": "100"}
    rows = [row | {"content": "x" * 3_000} for row in json_posts(600)]
    content = write_jsonl(tmp_path / "made.jsonl", rows).read_bytes()
    async with served(Site(content, stalls_after=len(content) - 5)) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        process = headrace.start("worker", **private)
        spool = fetcher_of(near.settings).spool.folder
        async with asyncio.timeout(60):
            while sum(part.stat().st_size for part in spool.rglob("part")) < 2**20:
                await asyncio.sleep(0.05)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 30) == (0 if number == SIGTERM else -SIGKILL)
        if number == SIGKILL:
            await taken_back(near)
        run = await run_of(near, run_id)
        assert (run.state, run.failures, run.crashes) == (State.QUEUED, 0, int(number == SIGKILL))
        site.stalls_after = None
        assert isinstance(await Executor(near).execute(run_id), Succeeded)
        assert site.asked[-1]["range"].startswith("bytes=")
    assert (await run_of(near, run_id)).receipts[0].inserted == 600


async def test_a_run_shows_how_far_its_fetch_is(
    near: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.fetching.fetcher.REPORT_SECONDS", 0.0)
    content = posts(tmp_path, 20_000)
    async with served(Site(content, stalls_after=len(content) - 5)) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        attempt = asyncio.create_task(Executor(near).execute(run_id))
        async with asyncio.timeout(30):
            while not (run := await run_of(near, run_id)).bytes_done:
                await asyncio.sleep(0.05)
        attempt.cancel()
        await asyncio.wait([attempt])
    assert 2**20 <= run.bytes_done < run.bytes_total == len(content)


async def test_a_run_that_is_cancelled_while_it_fetches_stops_and_is_swept(
    near: Resources, tmp_path: Path
) -> None:
    async with served(Site(posts(tmp_path, 60), stalls_after=10)) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url(), site=SITE))
        attempt = asyncio.create_task(Executor(near).execute(run_id))
        await site.stalled.wait()
        async with near.database.writing.begin() as session:
            assert await cancel_runs(session, [run_id]) == 1
        async with asyncio.timeout(20):
            await attempt
    assert spooled(near) == []


async def test_what_a_killed_process_has_left_is_swept_once_its_run_has_ended(near: Resources) -> None:
    spool = fetcher_of(near.settings).spool
    ended, alive = [await near.client.enqueue(ImportPosts(url="/gone", site=SITE)) for _ in range(2)]
    for run_id in (ended, alive, uuid4()):
        (spool.place(run_id, "x") / "part").write_text("x")
    async with near.database.writing.begin() as session:
        await session.execute(update(Run).where(Run.id == ended).values(state=State.FAILED))
    await sweep(near)
    assert spool.runs() == [alive]


@pytest.mark.parametrize(
    ("status", "outcome", "says"),
    [
        ("404 Not Found", Failed, "?key=***: the server says 404 Not Found; check the URL"),
        ("503 Busy\r\nRetry-After: 999", Retry, "?key=***: the server says 503 Service Unavailable"),
    ],
)
async def test_a_server_that_refuses_is_told_in_one_line(
    near: Resources, status: str, outcome: type[Failed | Retry], says: str
) -> None:
    async with served(Site(statuses=[status])) as site:
        run_id = await near.client.enqueue(ImportPosts(url=site.url("a?key=secret"), site=SITE))
        ended = await Executor(near).execute(run_id)
    assert isinstance(ended, outcome)
    assert ended.error == site.url("a") + says


async def test_what_cannot_be_read_is_named_by_its_url_and_not_by_the_spool(near: Resources) -> None:
    async with served(Site(b"neither\nthis\nnor that\n")) as site:
        run_id = await near.client.enqueue(
            ImportDump(urls=(site.url("posts.jsonl"),), site=SITE, format="csv")
        )
        ended = await Executor(near).execute(run_id)
    assert isinstance(ended, Failed)
    assert ended.error.startswith(site.url("posts.jsonl") + ": ")


@every_database
async def test_a_whole_site_in_an_archive_is_one_import(
    near: Resources, headrace: CommandLine, tmp_path: Path
) -> None:
    users = write_jsonl(tmp_path / "u.jsonl", json_users(7)).read_bytes()
    archive = archive_of(
        tmp_path / "beer.7z", {"beer/Users.jsonl": users, "beer/Posts.jsonl": posts(tmp_path, 60)}
    )
    done = await asyncio.to_thread(
        headrace, "import", archive, "--site", "here", "--wait", "--with-worker", "--json"
    )
    assert done.code == 0, done.err
    assert {entity: counts["inserted"] for entity, counts in done.json["entities"].items()} == {
        "posts": 60,
        "users": 7,
    }
    async with served(Site(archive.read_bytes())) as site:
        run_id = await near.client.enqueue(ImportDump(urls=(site.url("beer.7z"),), site="there"))
        assert isinstance(await Executor(near).execute(run_id), Succeeded)
    assert sum(receipt.inserted for receipt in (await run_of(near, run_id)).receipts) == 67
    assert spooled(near) == []


async def test_an_archive_that_was_fetched_is_named_by_its_url_where_it_is_damaged(near: Resources) -> None:
    async with served(Site(b"7z\xbc\xaf\x27\x1c" + bytes(100))) as site:
        run_id = await near.client.enqueue(ImportDump(urls=(site.url("beer.7z"),), site=SITE))
        ended = await Executor(near).execute(run_id)
    assert isinstance(ended, Failed)
    assert ended.error.startswith(site.url("beer.7z") + ": is no 7z archive that can be read")


async def test_what_was_fetched_is_not_split(near: Resources, tmp_path: Path) -> None:
    async with served(Site(posts(tmp_path, 60))) as site:
        run_id = await near.client.enqueue(ImportDump(urls=(site.url(),), site=SITE, split=True))
        ended = await Executor(near).execute(run_id)
    assert isinstance(ended, Failed)
    assert "cannot be split" in ended.error


async def test_a_bomb_fails_its_run_with_one_clear_line(near: Resources, tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "bomb.7z", {"Posts.xml": bytes(100_000_000)})
    run_id = await near.client.enqueue(ImportDump(urls=(str(archive),), site=SITE))
    ended = await Executor(near).execute(run_id)
    assert isinstance(ended, Failed)
    assert ended.error.startswith(
        f"{archive}: unpacks to more than 250 times its size; HEADRACE_DECOMPRESSED"
    )
