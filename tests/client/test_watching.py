"""Watching a run: events are read as they are written, and lost connections are made anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from headrace_client import HeadraceClient, NotFoundError
from headrace_client.events import events_in
from tests.client.unreliable import BUSY, NO_ANSWER, RUN, response, stream, unreliable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUN_ID = UUID(str(RUN["run_id"]))


async def lines_of(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


def progress(number: int, seconds: float) -> str:
    document = json.dumps(RUN | {"attempt": number, "seconds": seconds})
    return f"event: progress\ndata: {document}\n\n"


END = "event: end\ndata: {}\n\n"


async def test_events_are_read_as_the_standard_says() -> None:
    text = ":\n\nid: 7\nevent: progress\ndata: a\ndata:b\n\ndata: c\nretry: 5\n\nevent: end\n\ndata: cut off"
    assert [event async for event in events_in(lines_of(text))] == [
        ("progress", "a\nb"),
        ("message", "c"),
        ("end", ""),
    ]


async def test_a_stream_that_breaks_off_is_taken_up_again_and_repeats_nothing() -> None:
    first = stream(progress(1, seconds=0) + progress(2, seconds=1))
    then = stream(": all is well\n\n" + progress(2, seconds=3) + progress(3, seconds=4) + END)
    async with (
        unreliable(first, NO_ANSWER, BUSY, then) as server,
        HeadraceClient(server.url) as client,
    ):
        assert [run.attempt async for run in client.events(RUN_ID)] == [1, 2, 3]


async def test_waiting_gives_the_run_as_it_ended() -> None:
    answers = (
        stream(progress(1, seconds=0) + END),
        response(200, RUN | {"state": "failed", "error": "no file"}),
    )
    async with unreliable(*answers) as server, HeadraceClient(server.url) as client:
        run = await client.wait(RUN_ID)
    assert (run.state, run.is_finished, run.error) == ("failed", True, "no file")


async def test_a_run_that_does_not_exist_is_not_watched() -> None:
    async with (
        unreliable(response(404, {"title": "Not Found"})) as server,
        HeadraceClient(server.url) as client,
    ):
        with pytest.raises(NotFoundError):
            await client.wait(RUN_ID)
