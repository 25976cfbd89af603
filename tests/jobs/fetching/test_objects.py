"""Object stores, by fsspec's own one in memory."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jobs.errors import InputError
from jobs.fetching.fetcher import Fetcher
from jobs.fetching.limits import Limits
from jobs.fetching.spool import Spool
from tests.jobs.fetching.test_download import CONTENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.fetching.original import Original

URL = "memory://bucket/beer/Posts.xml"


async def _told(_done: int, _total: int) -> None:
    pass


@pytest.fixture(autouse=True)
def store() -> Iterator[MemoryFileSystem]:
    system = MemoryFileSystem()
    system.pipe("/bucket/beer/Posts.xml", CONTENT)
    yield system
    system.rm("/bucket", recursive=True)


async def test_an_object_comes_byte_for_byte_under_its_own_name(tmp_path: Path) -> None:
    originals: dict[Path, Original] = {}
    [path] = await Fetcher(Spool(tmp_path)).fetch(URL, uuid4(), originals, _told)
    assert path.name == "Posts.xml"
    assert path.read_bytes() == CONTENT
    assert originals[path].shown == URL


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory://bucket/beer/Tags.xml", "there is no such object; check the URL"),
        ("memory://bucket/beer", "is a folder; name the objects one by one"),
        ("s3://bucket/Posts.xml", "install headrace\\[objects\\] and s3fs"),
    ],
)
async def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        await Fetcher(Spool(tmp_path)).fetch(url, uuid4(), {}, _told)


async def test_no_more_than_the_limit_is_fetched(tmp_path: Path) -> None:
    fetcher = Fetcher(Spool(tmp_path), limits=Limits(fetched_bytes=1_000_000))
    with pytest.raises(InputError, match="HEADRACE_FETCH_BYTES allows more"):
        await fetcher.fetch(URL, uuid4(), {}, _told)


async def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r"install headrace\[objects\]"):
        await Fetcher(Spool(tmp_path)).fetch(URL, uuid4(), {}, _told)


async def test_a_part_of_the_same_version_is_gone_on_with(tmp_path: Path) -> None:
    fetcher, run_id = Fetcher(Spool(tmp_path)), uuid4()
    place = fetcher.spool.place(run_id, URL)
    whole = (await fetcher.fetch(URL, run_id, {}, _told))[0]
    version = MemoryFileSystem().info("/bucket/beer/Posts.xml")["created"]
    await asyncio.to_thread(whole.unlink)
    (place / "part").write_bytes(b"x" * 100)  # as no fetch of the whole leaves it
    (place / "part.json").write_text(f'{{"validator": "{version} {len(CONTENT)}"}}')
    again = (await fetcher.fetch(URL, run_id, {}, _told))[0]
    assert again.read_bytes() == b"x" * 100 + CONTENT[100:]
