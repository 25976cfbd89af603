"""Fetching from web servers that cut, stall, lie and change their minds."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from jobs.errors import InputError, RetryLaterError
from jobs.fetching.errors import FetchError
from jobs.fetching.fetcher import Fetcher
from jobs.fetching.limits import Limits
from jobs.fetching.rules import Rules
from jobs.fetching.spool import Spool
from tests.jobs.fetching.serving import Site, served

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from jobs.fetching.original import Original

CONTENT = bytes(range(256)) * 8_000  # 2 MB, of which no two places look alike to a digest


async def _told(_done: int, _total: int) -> None:
    pass


class House:
    """A spool, and a fetcher that may ask loopback."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.spool = Spool(folder / "spool")
        bounds = Limits(**({"first_pause_seconds": 0.01} | limits))  # type: ignore[arg-type]
        self.fetcher = Fetcher(self.spool, Rules(private=True), bounds)
        self.run_id = uuid4()

    async def fetch(self, url: str, run_id: UUID | None = None) -> tuple[Path, Original]:
        originals: dict[Path, Original] = {}
        [path] = await self.fetcher.fetch(url, run_id or self.run_id, originals, _told)
        return path, originals[path]

    def parts(self) -> list[int]:
        return [path.stat().st_size for path in self.spool.folder.rglob("part")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_file_comes_byte_for_byte_under_its_own_name(house: House) -> None:
    async with served(Site(CONTENT)) as site:
        path, original = await house.fetch(site.url("a/Posts.xml.gz?key=secret"))
    assert path.name == "Posts.xml.gz"
    assert path.read_bytes() == CONTENT
    assert original.shown == site.url("a/Posts.xml.gz?key=***")
    assert sha256(CONTENT).hexdigest() in original.version
    assert (house.spool.folder.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o700, 0o700)


async def test_a_connection_that_breaks_is_gone_on_with_where_it_broke(house: House) -> None:
    async with served(Site(CONTENT, cuts=[1_500_000, 100_000])) as site:
        path, _ = await house.fetch(site.url())
        begins = [asked.get("range", "bytes=0-") for asked in site.asked]
    assert path.read_bytes() == CONTENT
    assert begins == ["bytes=0-", "bytes=1500000-", "bytes=1600000-"]


async def test_a_server_without_ranges_is_asked_for_the_whole_again(house: House) -> None:
    async with served(Site(CONTENT, cuts=[1_500_000], ranges=False)) as site:
        path, _ = await house.fetch(site.url())
    assert path.read_bytes() == CONTENT


async def test_what_has_no_strong_validator_begins_anew(house: House) -> None:
    async with served(Site(CONTENT, cuts=[1_500_000], etag='W/"weak"')) as site:
        path, _ = await house.fetch(site.url())
        assert all("range" not in asked for asked in site.asked)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("careless", [False, True])
async def test_a_file_that_changed_between_two_connections_is_never_mixed(
    house: House, *, careless: bool
) -> None:
    async with served(Site(CONTENT, cuts=[1_500_000], careless=careless)) as site:
        fetching = asyncio.create_task(house.fetch(site.url()))
        while not site.asked:
            await asyncio.sleep(0.01)
        site.content = CONTENT[::-1]
        path, _ = await fetching
    assert path.read_bytes() == CONTENT[::-1]


async def test_a_part_that_a_killed_attempt_has_left_is_gone_on_with(house: House) -> None:
    async with served(Site(CONTENT, stalls_after=1_200_000)) as site:
        fetching = asyncio.create_task(house.fetch(site.url()))
        await site.stalled.wait()
        while not any(size >= 1_000_000 for size in house.parts()):
            await asyncio.sleep(0.01)
        fetching.cancel()
        await asyncio.wait([fetching])
        [left] = house.parts()
        site.stalls_after = None
        path, _ = await house.fetch(site.url())
        assert site.asked[-1]["range"] == f"bytes={left}-"
    assert path.read_bytes() == CONTENT


async def test_what_is_whole_is_not_fetched_again_by_the_next_attempt(house: House) -> None:
    async with served(Site(CONTENT)) as site:
        first = await house.fetch(site.url())
        assert await house.fetch(site.url()) == first
        assert len(site.asked) == 1
        other, original = await house.fetch(site.url(), uuid4())
    assert other != first[0]
    assert original == first[1]


async def test_a_server_that_promises_more_than_it_sends_is_given_up(house: House) -> None:
    async with served(Site(b"{}\n" * 100, lengths=[400] * 10, ranges=False)) as site:
        with pytest.raises(FetchError, match=r"posts\.jsonl: "):
            await house.fetch(site.url())
    assert len(site.asked) == 5


async def test_a_server_that_says_no_length_is_read_to_its_end(house: House) -> None:
    async with served(Site(CONTENT, lengths=[None])) as site:
        path, _ = await house.fetch(site.url())
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests\r\nRetry-After: 1"])
async def test_a_busy_server_is_asked_again(house: House, status: str) -> None:
    async with served(Site(CONTENT, statuses=[status])) as site:
        path, _ = await house.fetch(site.url())
    assert path.read_bytes() == CONTENT


async def test_a_server_that_wants_to_be_left_alone_for_long_is(house: House) -> None:
    async with served(Site(CONTENT, statuses=["503 Busy\r\nRetry-After: 3600"])) as site:
        with pytest.raises(RetryLaterError) as told:
            await house.fetch(site.url())
    assert told.value.delay_seconds == 3_600


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "204 No Content"])
async def test_a_server_that_refuses_is_not_asked_again(house: House, status: str) -> None:
    async with served(Site(CONTENT, statuses=[status])) as site:
        with pytest.raises(InputError, match=f"the server says {status}; check the URL"):
            await house.fetch(site.url())
    assert len(site.asked) == 1


@pytest.mark.parametrize("said", [len(CONTENT), None])
async def test_no_more_than_the_limit_is_fetched(tmp_path: Path, said: int | None) -> None:
    house = House(tmp_path, fetched_bytes=1_500_000)
    async with served(Site(CONTENT, lengths=[said])) as site:
        with pytest.raises(InputError, match="HEADRACE_FETCH_BYTES"):
            await house.fetch(site.url())
    assert max(house.parts()) <= 1_500_000 + 2**20


async def test_a_server_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    house = House(tmp_path, idle_seconds=0.05)
    async with served(Site(CONTENT, stalls_after=10)) as site:
        with pytest.raises(FetchError, match="the server does not answer"):
            await house.fetch(site.url())
    assert len(site.asked) == 5


async def test_a_fetch_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    house = House(tmp_path, total_seconds=0.2)
    async with served(Site(CONTENT, stalls_after=10)) as site:
        with pytest.raises(FetchError, match="HEADRACE_FETCH_SECONDS"):
            await house.fetch(site.url())


async def test_a_user_and_password_are_sent_and_never_shown(house: House) -> None:
    async with served(Site(CONTENT)) as site:
        url = site.url().replace("//", "//ada:l%40ve@")
        _, original = await house.fetch(url)
        assert site.asked[0]["authorization"] == "Basic YWRhOmxAdmU="
        assert original.shown == site.url().replace("//", "//***@")
        site.statuses = ["404 Not Found"]
        with pytest.raises(InputError) as told:
            await house.fetch(url, uuid4())
    assert "ada" not in str(told.value)


async def test_redirects_are_followed_and_keep_no_password(house: House) -> None:
    async with served(Site(CONTENT)) as other, served(Site()) as site:
        site.statuses = ["302 Found\r\nLocation: /here", f"307 Moved\r\nLocation: {other.url('there')}"]
        path, original = await house.fetch(site.url("Posts.xml").replace("//", "//ada:love@"))
        assert "authorization" in site.asked[1]
        assert "authorization" not in other.asked[0]
    assert (path.name, original.shown) == ("Posts.xml", site.url("Posts.xml").replace("//", "//***@"))


async def test_redirects_end_somewhere(house: House) -> None:
    async with served(Site(statuses=["302 Found\r\nLocation: /again"] * 50)) as site:
        with pytest.raises(InputError, match="redirects more than 10 times"):
            await house.fetch(site.url())
        site.statuses = ["302 Found\r\nLocation: file:///etc/passwd"]
        with pytest.raises(InputError, match="redirects to what is no http address"):
            await house.fetch(site.url())
