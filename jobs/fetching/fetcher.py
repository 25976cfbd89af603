"""From the URLs of a request to files on this host, each with what any host knows it by."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.fetching.archives import is_archive
from jobs.fetching.download import Download
from jobs.fetching.errors import FetchError
from jobs.fetching.limits import Limits
from jobs.fetching.objects import StoredObject
from jobs.fetching.original import Original
from jobs.fetching.part import Whole, opened_part
from jobs.fetching.places import WEB, file_name, is_local, local_path, scheme_of, shown
from jobs.fetching.rules import Rules
from jobs.fetching.threads import in_thread
from jobs.fetching.unpacked import unpack_members, unpacked_members
from jobs.fetching.web import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from uuid import UUID

    from jobs.fetching.part import Part
    from jobs.fetching.spool import Spool
    from jobs.fetching.threads import Ending

    Report = Callable[[int, int], Coroutine[Any, Any, None]]
    Originals = dict[Path, Original]

REPORT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Brings sources into the spool, as rules and limits allow."""

    spool: Spool
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)

    async def fetch(self, url: str, run_id: UUID, originals: Originals, report: Report) -> list[Path]:
        """Give the files of one source of a run: a local one as it is, another one from the spool.

        What is in the spool is added to the `originals`. The report is told how many bytes were fetched, and
        of how many, 0 if that is not known.

        Raises:
            InputError: it cannot be read, or must not be.
            FetchError: it cannot be fetched just now.

        """
        if is_local(url):
            return await self._local(local_path(url), run_id, originals)
        place = await asyncio.to_thread(self.spool.place, run_id, url)
        if members := await asyncio.to_thread(unpacked_members, place):
            originals |= members
            return list(members)
        whole = await asyncio.to_thread(Whole.found, place) or await self._whole(url, place, report)
        originals[whole.path] = Original(shown(url), f"sha256 {whole.sha256}")
        if not await asyncio.to_thread(is_archive, whole.path):
            return [whole.path]
        found = await self._unpack(whole.path, originals[whole.path], place, originals)
        await asyncio.to_thread(shutil.rmtree, whole.path.parent)
        return found

    async def _local(self, path: Path, run_id: UUID, originals: Originals) -> list[Path]:
        if not await asyncio.to_thread(is_archive, path):
            return [path]
        status = await asyncio.to_thread(path.stat)
        original = Original(str(path), f"{status.st_size} {status.st_mtime_ns}")
        place = await asyncio.to_thread(self.spool.place, run_id, " ".join(original))
        if members := await asyncio.to_thread(unpacked_members, place):
            originals |= members
            return list(members)
        return await self._unpack(path, original, place, originals)

    async def _unpack(
        self, archive: Path, original: Original, place: Path, originals: Originals
    ) -> list[Path]:
        work = partial(unpack_members, archive, original, place, self.limits.unpacked)
        members = await in_thread(work)
        originals |= members
        return list(members)

    async def _whole(self, url: str, place: Path, report: Report) -> Whole:
        self.rules.check(url)
        seconds = self.limits.total_seconds
        timer = asyncio.timeout(seconds)
        try:
            async with timer, opened_part(place, url) as part:
                if scheme_of(url) in WEB:
                    web = Web(self.rules, self.limits.idle_seconds)
                    await Download(web, url, part, self.limits, _seldom(report)).run()
                else:
                    await self._fetch_object(url, part, _seldom(report))
                return await asyncio.to_thread(part.complete, file_name(url))
        except TimeoutError:
            if not timer.expired():
                raise
            problem = f"took longer than {seconds:g} seconds (HEADRACE_FETCH_SECONDS)"
            raise FetchError(url, problem) from None

    async def _fetch_object(self, url: str, part: Part, report: Report) -> None:
        loop = asyncio.get_running_loop()

        def tell(done: int, total: int) -> None:
            asyncio.run_coroutine_threadsafe(report(done, total), loop).result()

        def work(ending: Ending) -> None:
            StoredObject(url).fetch(part, self.limits.fetched_bytes, ending, tell)

        await in_thread(work)


def _seldom(report: Report) -> Report:
    """Pass on a report now and then."""
    told_at = time.monotonic()

    async def passed_on(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= REPORT_SECONDS:
            told_at = time.monotonic()
            await report(done, total)

    return passed_on
