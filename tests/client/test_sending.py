"""The client asks again where that can help, and only where it can do no harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from headrace_client import (
    BusyError,
    ConflictError,
    HeadraceClient,
    InvalidError,
    ProblemError,
    PruneHistory,
    RefreshAuthorStats,
    UnreachableError,
)
from headrace_client.sending import LONGEST_PAUSE_SECONDS, TRIES, pause_seconds
from jobs.tracing import in_trace
from tests.client.unreliable import BUSY, NO_ANSWER, RUN, response, unreliable

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_enqueue_whose_answer_was_lost_is_asked_again_with_the_same_key() -> None:
    answers = (NO_ANSWER, BUSY, response(202, RUN))
    async with unreliable(*answers) as server, HeadraceClient(server.url, "hr_secret") as client:
        run = await client.enqueue(RefreshAuthorStats())
    assert (str(run.run_id), run.state, run.is_finished) == (RUN["run_id"], "queued", False)
    assert {request.headers["authorization"] for request in server.heard} == {"Bearer hr_secret"}
    [key] = {request.headers["idempotency-key"] for request in server.heard}
    assert len(key) >= 32


async def test_an_ask_says_when_and_where_to_run_and_to_which_trace_it_belongs() -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with unreliable(response(202, RUN)) as server, HeadraceClient(server.url) as client:
        with in_trace(parent):
            await client.enqueue(PruneHistory(keep_days=7), idempotency_key="k", run_at=later, queue="bulk")
    [heard] = server.heard
    assert json.loads(heard.body) == {
        "job": "prune_history",
        "request": {"keep_days": 7.0},
        "run_at": "2100-01-01T00:00:00+00:00",
        "queue": "bulk",
    }
    assert (heard.headers["idempotency-key"], heard.headers["traceparent"]) == ("k", parent)
    assert "authorization" not in heard.headers


async def test_what_is_not_the_same_twice_is_not_asked_again_once_it_may_have_been_heard() -> None:
    async with unreliable(NO_ANSWER) as server, HeadraceClient(server.url) as client:
        with pytest.raises(UnreachableError, match="may have been carried out"):
            await client.retry(uuid4())


async def test_a_busy_headrace_is_asked_again_so_many_times_and_no_more() -> None:
    answers = [response(429, {"title": "Too Many Requests"}, Retry_After=0)] * TRIES
    async with unreliable(*answers) as server, HeadraceClient(server.url) as client:
        with pytest.raises(BusyError) as caught:
            await client.cancel(uuid4())
    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 0.0)


def test_pauses_grow_and_are_bounded_whatever_the_server_asks_for() -> None:
    assert all(0.125 * 2**n <= pause_seconds(n + 1) <= 0.25 * 2**n for n in range(TRIES))
    assert pause_seconds(1, 7) == 7
    assert pause_seconds(1, 86_400) == pause_seconds(1_000, 30) == LONGEST_PAUSE_SECONDS


async def test_a_problem_carries_what_the_server_said() -> None:
    problem = {
        "title": "Unprocessable Content",
        "detail": "The request is not valid.",
        "request_id": "abc",
        "errors": [{"loc": ["body", "request", "site"], "msg": "Field required"}],
    }
    async with unreliable(response(422, problem)) as server, HeadraceClient(server.url) as client:
        with pytest.raises(InvalidError) as caught:
            await client.enqueue(RefreshAuthorStats())
    error = caught.value
    assert (error.status, error.title, error.detail) == (422, problem["title"], problem["detail"])
    assert (error.request_id, error.errors) == ("abc", problem["errors"])
    assert str(error) == (
        "422 Unprocessable Content: The request is not valid.: "
        "body.request.site: Field required (request abc)"
    )


async def test_a_proxy_that_speaks_no_json_is_a_problem_with_a_status() -> None:
    answers = (response(502, None, X_Request_ID="abc"), response(409, ["?"]))
    async with unreliable(*answers) as server, HeadraceClient(server.url) as client:
        with pytest.raises(ProblemError, match=r"^502 status 502 \(request abc\)$"):
            await client.run(uuid4())
        with pytest.raises(ConflictError):
            await client.run(uuid4())


async def test_an_upload_is_sent_anew_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "Brass Été.jsonl"
    path.write_bytes(bytes(range(256)) * 1_000)
    taken = response(201, {"url": "/up/x", "bytes": 256_000, "sha256": "0"})
    async with unreliable(NO_ANSWER, taken) as server, HeadraceClient(server.url) as client:
        assert (await client.upload(path)).url == "/up/x"
    assert {request.line for request in server.heard} == {
        "PUT /v1/uploads/Brass%20%C3%89t%C3%A9.jsonl HTTP/1.1"
    }
    assert {request.body for request in server.heard} == {path.read_bytes()}
