"""From a web server into a file: resumed where the connection broke, tried again while there is hope."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Any

from jobs.errors import RetryLaterError
from jobs.fetching.errors import FetchError, PlaceRefusedError
from jobs.fetching.web import header, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from httpcore import Response

    from jobs.fetching.limits import Limits
    from jobs.fetching.part import Part
    from jobs.fetching.web import Web

    Report = Callable[[int, int], Coroutine[Any, Any, None]]

TRIES = 5
WRITTEN_BYTES = 1024 * 1024
STEP_BYTES = 1024 * 1024  # whoever gets less far with a connection gets nowhere
LONGEST_PAUSE_SECONDS = 30.0
LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class UnavailableError(FetchError):
    """The server says that it cannot answer now; `after_seconds` is when it wants to be asked again."""

    def __init__(self, url: str, problem: str, after_seconds: float) -> None:
        super().__init__(url, problem)
        self.after_seconds = after_seconds


@dataclass(slots=True)
class Download:
    """One source on its way; `report` is told how many bytes are there, and of how many (0: not known)."""

    web: Web
    url: str
    part: Part
    limits: Limits
    report: Report
    total: int = field(default=0, init=False)

    async def run(self) -> None:
        """Fetch the rest.

        Raises:
            PlaceRefusedError: trying again would not help.
            RetryLaterError: the server wants to be left alone for longer than an attempt may wait.
            FetchError: it broke again and again without getting further.

        """
        failures, farthest = 0, self.part.size
        while True:
            try:
                return await self._rest()
            except FetchError as error:
                further = self.part.size - farthest >= STEP_BYTES
                failures, farthest = (1, self.part.size) if further else (failures + 1, farthest)
                pause = min(self.limits.first_pause_seconds * 2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)
                asked = error.after_seconds if isinstance(error, UnavailableError) else 0.0
                if asked > LONGEST_PAUSE_SECONDS:
                    raise RetryLaterError(str(error), asked) from error
                if failures >= TRIES:
                    raise
                await asyncio.sleep(max(pause, asked))

    async def _rest(self) -> None:
        """Ask once, from where the part ends."""
        async with self.web.asked(self.url, self._asking()) as response:
            if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                await self._judge_end(response)
                return
            await self._begin(response)
            await self._take(response)

    def _asking(self) -> dict[str, str]:
        """Ask for the rest of the same version, or for the whole of another."""
        if not self.part.size or not self.part.validator:
            return {}
        return {"Range": f"bytes={self.part.size}-", "If-Range": self.part.validator}

    async def _begin(self, response: Response) -> None:
        """Go on where the part ends, if that is what the server sends, or anew."""
        self._refuse_what_is_no_file(response)
        length = _number(header(response, "Content-Length"))
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            start, self.total = _content_range(response)
            # A server may send a range of another version, although it was asked not to.
            if start != self.part.size or validator_of(response) not in {"", self.part.validator}:
                await asyncio.to_thread(self.part.begin, "")
                raise FetchError(
                    self.url,
                    "the server sent another range, or one of another version, than it was asked for",
                )
        else:
            self.total = length
            await asyncio.to_thread(self.part.begin, validator_of(response))
        self._check_size(self.total)

    async def _take(self, response: Response) -> None:
        waiting = bytearray()
        try:
            async for chunk in response.aiter_stream():
                waiting += chunk
                if len(waiting) >= WRITTEN_BYTES:
                    await self._write(waiting)
        finally:
            # What came before a break is not asked for again.
            self.part.write(bytes(waiting))
        self._check_size(self.part.size)
        if self.total and self.part.size != self.total:
            raise FetchError(self.url, f"{self.part.size:,} bytes came instead of {self.total:,}")

    async def _write(self, waiting: bytearray) -> None:
        self._check_size(self.part.size + len(waiting))
        data = bytes(waiting)
        waiting.clear()
        await asyncio.to_thread(self.part.write, data)
        await self.report(self.part.size, self.total)

    async def _judge_end(self, response: Response) -> None:
        """See whether nothing is left to send because all of it is here; else begin anew."""
        if _content_range(response)[1] == self.part.size:
            return
        await asyncio.to_thread(self.part.begin, "")
        raise FetchError(self.url, "the server has less than it had")

    def _check_size(self, size: int) -> None:
        if size > self.limits.fetched_bytes:
            problem = f"is larger than {self.limits.fetched_bytes:,} bytes"
            raise PlaceRefusedError(self.url, problem, "HEADRACE_FETCH_BYTES allows more")

    def _refuse_what_is_no_file(self, response: Response) -> None:
        status = response.status
        if status in LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = f"the server says {in_words(status)}"
            raise UnavailableError(self.url, problem, _retry_after(header(response, "Retry-After")))
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise PlaceRefusedError(self.url, f"the server says {in_words(status)}", "check the URL")


def validator_of(response: Response) -> str:
    """Give what tells this version of a file from any other byte for byte; nothing if nothing does."""
    etag = header(response, "ETag")
    return etag if etag.startswith('"') else header(response, "Last-Modified")


def _content_range(response: Response) -> tuple[int, int]:
    """Read `bytes 100-199/200` or `bytes */200`: where it begins, or -1, and the size of the whole."""
    found = re.fullmatch(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)", header(response, "Content-Range"))
    if not found:
        return -1, 0
    return int(found[1] or -1), _number(found[2])


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _retry_after(text: str) -> float:
    """Read seconds, or a date."""
    if seconds := _number(text):
        return float(seconds)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
