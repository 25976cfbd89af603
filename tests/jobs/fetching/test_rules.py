"""Which hosts may be read, and which addresses connected to."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from jobs.errors import InputError
from jobs.fetching.fetcher import Fetcher
from jobs.fetching.places import shown
from jobs.fetching.rules import Rules, may_connect
from jobs.fetching.spool import Spool
from tests.jobs.fetching.serving import Site, served

if TYPE_CHECKING:
    from pathlib import Path

NEVER = [
    "0.0.0.0",
    "169.254.169.254",
    "168.63.129.16",
    "224.0.0.1",
    "::",
    "fe80::1",
    "fe80::1%lo",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.100.100.200",
    "::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
]
PUBLIC = ["151.101.1.69", "2a04:4e42::645", "::ffff:151.101.1.69"]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_connected_to(address: str) -> None:
    assert not may_connect(address, private=False)
    assert not may_connect(address, private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_connected_to_only_where_that_is_allowed(address: str) -> None:
    assert not may_connect(address, private=False)
    assert may_connect(address, private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str) -> None:
    assert may_connect(address, private=False)


async def _told(_done: int, _total: int) -> None:
    pass


async def _fetch(folder: Path, url: str, rules: Rules) -> None:
    await Fetcher(Spool(folder), rules).fetch(url, uuid4(), {}, _told)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_a_private_address_is_refused_however_it_is_written(tmp_path: Path, host: str) -> None:
    async with served(Site(b"{}")) as site:
        with pytest.raises(InputError, match="is not public; HEADRACE_IMPORT_PRIVATE_HOSTS=true allows"):
            await _fetch(tmp_path, site.url(host=host), Rules())
    assert not site.asked


async def test_a_name_with_one_private_address_among_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve_to(monkeypatch, ["151.101.1.69", "127.0.0.1"])
    with pytest.raises(InputError, match=r"leads to 127\.0\.0\.1, which is not public"):
        await _fetch(tmp_path, "http://example.org/a", Rules())


async def test_a_name_is_looked_up_once_and_connected_to_as_it_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look-up could give another answer: that is how DNS rebinding works."""
    asked = _resolve_to(monkeypatch, ["127.0.0.1"])
    async with served(Site(b"{}")) as site:
        await _fetch(tmp_path, site.url(host="rebound.example"), Rules(private=True))
    assert asked == ["rebound.example"]
    assert site.asked[0]["host"].startswith("rebound.example:")


async def test_a_redirect_is_checked_like_the_url_itself(tmp_path: Path) -> None:
    async with served(Site(b"secret")) as inner, served(Site()) as outer:
        outer.statuses = ["302 Found\r\nLocation: http://169.254.169.254/latest/meta-data"]
        with pytest.raises(InputError, match=r"leads to 169\.254\.169\.254, which is not public"):
            await _fetch(tmp_path, outer.url(), Rules(private=True))
        outer.statuses = [f"302 Found\r\nLocation: {inner.url(host='localhost')}"]
        with pytest.raises(InputError, match="is on no host of HEADRACE_IMPORT_HOSTS"):
            await _fetch(tmp_path, outer.url(), Rules(("127.0.0.1",), private=True))
    assert not inner.asked


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://data.example.org/a", True),
        ("https://DATA.example.org./a", True),
        ("https://user@data.example.org:8443/a", True),
        ("https://a.b.example.net/a", True),
        ("https://example.net/a", False),
        ("https://badexample.net/a", False),
        ("https://data.example.org.evil.net/a", False),
        ("https://evil.net/data.example.org", False),
        ("https://data.example.org@evil.net/", False),
        ("s3://bucket/a", True),
        ("s3://other/a", False),
        ("gs://bucket/a", False),
        ("https://bucket/a", False),
        ("s3://data.example.org/a", False),
    ],
)
def test_hosts_and_buckets_are_listed_by_name(url: str, listed: bool) -> None:  # noqa: FBT001
    assert Rules(("data.example.org", "*.example.net", "s3://bucket")).lists(url) is listed


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a",
        "simplecache::s3://bucket/a",
        "s3://bucket/a::file:///etc/passwd",
        "memory://a::local:///etc/passwd",
        "local:///etc/passwd",
        "zip://a::file:///etc/a.zip",
        "http:///nowhere",
        "s3:///nowhere",
        "http://[broken",
        "http://example.org:port/",
        "http://" + "a" * 70 + ".org/",
    ],
)
async def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError) as told:
        await _fetch(tmp_path, url, Rules())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("/data/a?b#c", "/data/a?b#c"),
        (
            "https://example.org/a?X-Amz-Signature=123&page=2#x",
            "https://example.org/a?X-Amz-Signature=***&page=***",
        ),
        ("https://ada:love@example.org/a", "https://***@example.org/a"),
        ("https://token@example.org/a?secret", "https://***@example.org/a?secret=***"),
        ("s3://key:secret@bucket/a", "s3://***@bucket/a"),
        ("http://[broken?secret=1", "http://***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, seen: str) -> None:
    assert shown(url) == seen


def _resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Stand in for the name server, which no test asks; give the names that are looked up."""
    asked: list[str] = []

    async def getaddrinfo(host: str, *_args: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked
