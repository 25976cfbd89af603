"""The client that asks over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from headrace_client.documents import RejectInfo, RunInfo, ScheduleInfo, UploadInfo
from headrace_client.reading import Items, document_of, item_of
from headrace_client.sending import Ask, Sender
from headrace_client.watching import watch
from jobs.tracing import traceparent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from uuid import UUID

    from jobs.request_values import QueueName
    from jobs.requests import Request

ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 5.0
PIECE_BYTES = 1 << 16
MOST_ON_A_PAGE = 200


class HeadraceClient:
    """Asks for runs and looks at them. One client serves a whole process; `async with` closes it.

    All methods raise `ProblemError` for a problem that Headrace answers with, and `UnreachableError` where
    no answer came; `UnreadableError` where it is none of Headrace's. `http` is a client of your
    own; it is not closed here.
    """

    def __init__(
        self, base_url: str, token: str | None = None, *, http: httpx.AsyncClient | None = None
    ) -> None:
        self._is_own = http is None
        self._http = http or httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._sender = Sender(self._http, base_url.rstrip("/"), headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, if they are not those of a client that was given."""
        if self._is_own:
            await self._http.aclose()

    async def enqueue(
        self,
        request: Request,
        *,
        idempotency_key: str | None = None,
        run_at: datetime | None = None,
        queue: QueueName | None = None,
    ) -> RunInfo:
        """Ask for a run. A second ask with the same key returns the first run.

        Without a key, one is made for this call, so that a try whose answer was lost does no harm.
        `run_at`, an aware time, puts the run off.

        Raises:
            ConflictError: the key was used for another request.
            InvalidError: Headrace does not accept this one.

        """
        body: dict[str, Any] = {"job": request.job, "request": request.document()}
        body |= {"run_at": run_at.isoformat()} if run_at else {}
        body |= {"queue": queue} if queue else {}
        headers = {"Idempotency-Key": idempotency_key or uuid4().hex}
        if (trace := traceparent()) is not None:
            headers["traceparent"] = trace
        return await self._run_from(Ask("POST", "/v1/runs", repeatable=True, json=body, headers=headers))

    async def run(self, run_id: UUID) -> RunInfo:
        """Look at a run."""
        return await self._run_from(Ask("GET", f"/v1/runs/{run_id}", repeatable=True))

    async def runs(self, *, state: str | None = None, job: str | None = None) -> AsyncIterator[RunInfo]:
        """List runs, the newest first, all of them or those of a state or job; pages are read as needed."""
        async for item in self._items("/v1/runs", state=state, job=job):
            yield item_of(item, RunInfo)

    def events(self, run_id: UUID) -> AsyncGenerator[RunInfo]:
        """Give a run each time it changes, until it has finished; a lost connection is made anew.

        Whoever stops before the end closes the iterator: `async with contextlib.aclosing(...)`.
        """
        return watch(self._sender, run_id)

    async def wait(self, run_id: UUID) -> RunInfo:
        """Wait until a run has finished; `asyncio.timeout` bounds that."""
        async with aclosing(self.events(run_id)) as changes:
            async for _ in changes:
                pass
        return await self.run(run_id)

    async def cancel(self, run_id: UUID) -> RunInfo:
        """Cancel a queued or running run.

        Raises:
            ConflictError: it has finished.

        """
        return await self._run_from(Ask("POST", f"/v1/runs/{run_id}/cancel", repeatable=False))

    async def retry(self, run_id: UUID) -> RunInfo:
        """Queue a failed or cancelled run again, from where it stopped and with all its tries.

        Raises:
            ConflictError: it has neither failed nor been cancelled.

        """
        return await self._run_from(Ask("POST", f"/v1/runs/{run_id}/retry", repeatable=False))

    async def rejects(
        self, run_id: UUID, *, rule: str | None = None, replayed: bool | None = None
    ) -> AsyncIterator[RejectInfo]:
        """List the records that a run could not load; pages are read as needed.

        All of them, or those that broke a rule; those that were replayed, or those that are still open.
        """
        wanted = None if replayed is None else str(replayed).lower()
        async for item in self._items(f"/v1/runs/{run_id}/rejects", rule=rule, replayed=wanted):
            yield item_of(item, RejectInfo)

    async def schedule(self) -> list[ScheduleInfo]:
        """List the entries of the schedule."""
        listed = document_of(await self._sender.send(Ask("GET", "/v1/schedule", repeatable=True)), Items)
        return [item_of(item, ScheduleInfo) for item in listed.items]

    async def run_schedule(self, name: str) -> RunInfo:
        """Start the run of an entry of the schedule now.

        Raises:
            ConflictError: there is nothing to do.

        """
        return await self._run_from(Ask("POST", f"/v1/schedule/{_part(name)}/run", repeatable=False))

    async def upload(self, path: Path, name: str | None = None, *, replace: bool = False) -> UploadInfo:
        """Send a file, piece by piece, for a request to name by the `url` of the result.

        A name has letters, digits, dots, dashes and underscores.

        Raises:
            ConflictError: there is another file of that name, and `replace` does not say to replace it.

        """
        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        ask = Ask(
            "PUT",
            f"/v1/uploads/{_part(name or path.name)}",
            repeatable=True,
            headers=headers | ({"If-Match": "*"} if replace else {}),
            content=lambda: _pieces(path),
        )
        return document_of(await self._sender.send(ask), UploadInfo)

    async def _run_from(self, ask: Ask) -> RunInfo:
        return document_of(await self._sender.send(ask), RunInfo)

    async def _items(self, path: str, **params: str | None) -> AsyncIterator[Any]:
        asked: dict[str, Any] = {name: value for name, value in params.items() if value is not None}
        asked["limit"] = MOST_ON_A_PAGE
        while True:
            ask = Ask("GET", path, repeatable=True, params=asked)
            page = document_of(await self._sender.send(ask), Items)
            for item in page.items:
                yield item
            if page.next is None:
                return
            asked["after"] = page.next


def _part(name: str) -> str:
    return quote(name, safe="")


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
