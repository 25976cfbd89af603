"""Who gets in: tokens and their scopes, and an API that is open only where nobody else can come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from models.token import TokenScope, any_token, revoke_token
from tests.conftest import every_database
from tests.worker.web.conftest import asking, token
from worker.web import tokens
from worker.web.app import make_app

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx import AsyncClient

    from worker.resources import Resources

METRICS = "/metrics"


@every_database
async def test_without_any_token_the_api_is_open_to_this_host_alone(anybody: AsyncClient) -> None:
    assert (await anybody.get(METRICS)).status_code == 200
    assert (await anybody.get(METRICS, headers={"Host": "[::1]:8000"})).status_code == 200
    refused = await anybody.get(METRICS, headers={"Host": "rebound.example.com"})
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"


async def test_a_page_of_another_origin_cannot_use_an_open_api(anybody: AsyncClient) -> None:
    address = "/v1/schedule/rebuild-stats/run"
    for origin in ("https://evil.example", "http://localhost:3000", "null"):
        assert (await anybody.post(address, headers={"Origin": origin})).status_code == 403
    assert (await anybody.post(address, headers={"Origin": "http://localhost"})).status_code == 202


async def test_a_revoked_token_is_refused_as_soon_as_it_is_forgotten(
    reader: AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await reader.get(METRICS)).status_code == 200
    async with resources.database.writing.begin() as session:
        await revoke_token(session, "reader")
    assert tokens.REMEMBERED_SECONDS <= 10
    monkeypatch.setattr(tokens, "REMEMBERED_SECONDS", 0.0)
    assert (await reader.get(METRICS)).status_code == 401


async def test_the_first_token_closes_the_api_for_good(
    anybody: AsyncClient, app: FastAPI, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED_SECONDS", 0.0)
    assert (await anybody.get(METRICS)).status_code == 200
    secret = await token(resources.database, TokenScope.READ)
    refused = await anybody.get(METRICS)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    async with resources.database.writing.begin() as session:
        assert await revoke_token(session, "a service")
        assert not await revoke_token(session, "a service")
        assert await any_token(session)
    assert (await anybody.get(METRICS)).status_code == 401
    async with asking(app, secret) as client:
        assert (await client.get(METRICS)).status_code == 401


async def test_an_address_that_others_can_reach_is_never_open(resources: Resources) -> None:
    async with asking(make_app(resources, may_be_open=False)) as client:
        assert (await client.get(METRICS)).status_code == 401
        assert (await client.get("/livez")).status_code == 200


async def test_reading_needs_a_token_and_writing_one_that_may(reader: AsyncClient) -> None:
    assert (await reader.get(METRICS)).status_code == 200
    assert (await reader.post("/v1/nothing")).status_code == 403
    assert (await reader.get("/v1/nothing")).status_code == 404


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer hr_", "Basic aGk6aG8=", "Bearer hr_\xff" + "x" * 42, "hr_"]
)
async def test_what_is_no_token_is_refused(reader: AsyncClient, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    assert (await reader.get(METRICS, headers=headers)).status_code == 401  # type: ignore[arg-type]


async def test_wrong_tokens_are_bounded_by_address_and_known_ones_go_on(
    reader: AsyncClient, anybody: AsyncClient
) -> None:
    assert (await reader.get(METRICS)).status_code == 200
    wrong = {"Authorization": f"Bearer hr_{'x' * 43}"}
    found = [(await anybody.get(METRICS, headers=wrong)).status_code for _ in range(25)]
    assert set(found) == {401, 429}
    limited = await anybody.get(METRICS, headers=wrong)
    assert limited.headers["retry-after"] == "60"
    assert (await reader.get(METRICS)).status_code == 200


async def test_wrong_tokens_do_not_lock_out_one_that_was_good_a_while_ago(
    reader: AsyncClient, anybody: AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await reader.get(METRICS)).status_code == 200
    monkeypatch.setattr(tokens, "REMEMBERED_SECONDS", 0.0)
    wrong = {"Authorization": f"Bearer hr_{'x' * 43}"}
    for _ in range(25):
        await anybody.get(METRICS, headers=wrong)
    assert (await anybody.get(METRICS, headers=wrong)).status_code == 429
    assert (await reader.get(METRICS)).status_code == 200
    async with resources.database.writing.begin() as session:
        await revoke_token(session, "reader")
    # Looked up once more, and then it is as unknown as the others.
    assert [(await reader.get(METRICS)).status_code for _ in range(2)] == [401, 429]


async def test_of_secrets_that_were_good_the_latest_are_kept(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 2)
    remembering = tokens.Tokens(resources.database)
    secrets = [await token(resources.database, TokenScope.READ, f"service {n}") for n in range(3)]
    for secret in secrets:
        assert await remembering.find(secret)
    assert [remembering.was_good(secret) for secret in secrets] == [False, True, True]


async def test_a_known_token_costs_no_statement(reader: AsyncClient, resources: Resources) -> None:
    await reader.get("/openapi.json")
    statements: list[str] = []
    engine = resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *_: statements.append(_[2]))
    assert (await reader.get("/openapi.json")).status_code == 200
    assert not [text for text in statements if "api_tokens" in text]
