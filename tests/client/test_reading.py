"""Whatever comes back, a caller has to catch the client's own errors alone, and each says so in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from headrace_client import (
    HeadraceClient,
    HeadraceError,
    InvalidError,
    ProblemError,
    RefreshAuthorStats,
    UnreachableError,
    UnreadableError,
)
from tests.client.unreliable import RUN, response, stream, unreliable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

DEEP = "[" * 100_000
NONSENSE = (
    "",
    "<html>Welcome</html>",
    "{}",
    "[]",
    "null",
    '{"items": 1}',
    '{"items": [{}], "next": null}',
    DEEP,
)


async def every_run(client: HeadraceClient) -> list[Any]:
    return [run async for run in client.runs()]


async def every_reject(client: HeadraceClient) -> list[Any]:
    return [reject async for reject in client.rejects(uuid4())]


ASKS: tuple[Callable[[HeadraceClient], Awaitable[Any]], ...] = (
    lambda client: client.enqueue(RefreshAuthorStats()),
    lambda client: client.run(uuid4()),
    lambda client: client.cancel(uuid4()),
    lambda client: client.schedule(),
    every_run,
    every_reject,
)


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: text[:20])
async def test_a_good_answer_that_is_none_of_ours_is_told_as_such(text: str) -> None:
    for ask in ASKS:
        async with unreliable(stream(text)) as server, HeadraceClient(server.url) as client:
            with pytest.raises(UnreadableError, match=r"^the answer is no \w+: .+$"):
                await ask(client)


async def test_an_upload_and_an_event_that_are_none_of_ours_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    event = "event: progress\ndata: {}\n\n"
    async with unreliable(stream("ok"), stream(event)) as server, HeadraceClient(server.url) as client:
        with pytest.raises(UnreadableError, match="UploadInfo"):
            await client.upload(tmp_path / "x")
        with pytest.raises(UnreadableError, match="RunInfo: run_id: Field required"):
            await client.wait(uuid4())


@pytest.mark.parametrize("errors", ["?", 7, {"a": 1}, [1, None, {}, {"loc": 3, "msg": "x"}, {"loc": ["a"]}]])
async def test_a_problem_whose_errors_are_none_of_ours_is_a_problem(errors: Any) -> None:
    problem = {"title": "Bad", "errors": errors}
    async with unreliable(response(422, problem)) as server, HeadraceClient(server.url) as client:
        with pytest.raises(InvalidError, match=r"^422 Bad$"):
            await client.run(uuid4())


async def test_a_problem_nested_too_deeply_has_its_status() -> None:
    async with unreliable(stream(DEEP, status=500)) as server, HeadraceClient(server.url) as client:
        with pytest.raises(ProblemError, match=r"^500 status 500$"):
            await client.run(uuid4())


async def test_an_answer_that_cannot_be_unpacked_is_none() -> None:
    broken = stream("this was never packed", Content_Encoding="gzip")
    async with unreliable(broken) as server, HeadraceClient(server.url) as client:
        with pytest.raises(UnreachableError, match="may have been carried out"):
            await client.cancel(uuid4())


async def test_a_stream_that_cannot_be_unpacked_is_asked_for_again() -> None:
    broken = stream("this was never packed", Content_Encoding="gzip")
    answers = (broken, stream("event: end\n\n"), response(200, RUN))
    async with unreliable(*answers) as server, HeadraceClient(server.url) as client:
        assert (await client.wait(uuid4())).state == "queued"


def test_every_error_is_below_one() -> None:
    assert issubclass(UnreadableError, HeadraceError)
