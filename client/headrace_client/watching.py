"""Watching a run through server-sent events, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from headrace_client.documents import RunInfo
from headrace_client.errors import BusyError, problem_of
from headrace_client.events import events_in
from headrace_client.reading import document_in
from headrace_client.sending import TRIES, Ask, pause_seconds, unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from uuid import UUID

    from headrace_client.sending import Sender

SILENCE_SECONDS = 60.0  # where nothing happens, Headrace sends a comment more often than that


async def watch(sender: Sender, run_id: UUID) -> AsyncGenerator[RunInfo]:
    """Give a run each time it changes, until Headrace says that it has ended.

    A connection begins with the run as it is; what was given before is not given again.

    Raises:
        UnreachableError: several connections in a row were lost before anything came.
        ProblemError: Headrace answers with a problem.
        UnreadableError: what comes is no run.

    """
    ask = Ask("GET", f"/v1/runs/{run_id}/events", repeatable=True, headers={"Accept": "text/event-stream"})
    given, tries = None, 0
    while True:
        tries += 1
        try:
            async with _connection(sender, ask) as response:
                async for event in events_in(response.aiter_lines()):
                    tries = 0
                    if event.name == "end":
                        return
                    run = document_in(event.data, RunInfo)
                    if (changed := run.model_copy(update={"seconds": 0.0})) != given:
                        given = changed
                        yield run
            raise httpx.RemoteProtocolError("the stream broke off")
        except httpx.RequestError as error:
            if tries >= TRIES:
                raise unreachable(ask, error) from error
            await asyncio.sleep(pause_seconds(tries))
        except BusyError as error:
            if tries >= TRIES:
                raise
            await asyncio.sleep(pause_seconds(tries, error.retry_after_seconds))


@asynccontextmanager
async def _connection(sender: Sender, ask: Ask) -> AsyncIterator[httpx.Response]:
    request = sender.request(ask)
    request.extensions["timeout"] = request.extensions["timeout"] | {"read": SILENCE_SECONDS}
    response = await sender.http.send(request, stream=True)
    try:
        if not response.is_success:
            await response.aread()
            raise problem_of(response)
        yield response
    finally:
        await response.aclose()
