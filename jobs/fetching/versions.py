"""What a source says of its version, asked without fetching it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from jobs.errors import InputError, JobError
from jobs.fetching.errors import FetchError
from jobs.fetching.objects import StoredObject
from jobs.fetching.places import WEB, is_local, local_path, scheme_of
from jobs.fetching.web import Web, header
from jobs.sources.opening import find_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.fetching.fetcher import Fetcher

UNKNOWN = ""


async def versions_of(fetcher: Fetcher, urls: Sequence[str], known: Sequence[str]) -> list[str]:
    """Give a word for the version of each source, `UNKNOWN` where nothing says it; `known` are those before.

    What is wrong with a source is left to be said by the fetch.
    """
    found = []
    for number, url in enumerate(urls):
        before = known[number] if number < len(known) else UNKNOWN
        try:
            found.append(await _version_of(fetcher, url, before))
        except JobError:
            found.append(UNKNOWN)
    return found


async def _version_of(fetcher: Fetcher, url: str, before: str) -> str:
    if is_local(url):
        return await asyncio.to_thread(_on_disk, url)
    fetcher.rules.check(url)
    if scheme_of(url) in WEB:
        return await _on_the_web(Web(fetcher.rules, fetcher.limits.idle_seconds), url, before)
    stored = await asyncio.to_thread(StoredObject, url)
    return stored.validator


def _on_disk(url: str) -> str:
    path = local_path(url)
    try:
        files = find_files(path).values() if path.is_dir() else [path]
        found = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError as error:
        raise InputError(str(error)) from error
    return str(found)


async def _on_the_web(web: Web, url: str, before: str) -> str:
    """Ask with a GET: a server may know no HEAD, and a signed URL allows none. Its body is not read."""
    etag, _, modified = before.partition("\n")
    asking = {"If-None-Match": etag} if etag else {"If-Modified-Since": modified} if modified else {}
    async with web.asked(url, asking) as response:
        if response.status == HTTPStatus.NOT_MODIFIED and asking:
            return before
        if response.status != HTTPStatus.OK:
            raise FetchError(url, f"the server says {response.status}")
        etag, modified = header(response, "ETag"), header(response, "Last-Modified")
        return f"{etag}\n{modified}" if etag or modified else UNKNOWN
