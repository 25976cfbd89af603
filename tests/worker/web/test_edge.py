"""What every answer has: an id, safe headers, and no word of our insides."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from jobs.client import JobClient
from models import Limit
from models.database import open_database
from models.token import TokenScope, new_secret
from tests.conftest import every_database
from tests.worker.web.conftest import asking, assert_problem, token
from worker.resources import Resources, open_resources
from worker.settings import Settings
from worker.web import held
from worker.web.app import make_app
from worker.web.problems import ConflictError
from worker.web.sessions import Writing

SECRET = "the words of an error"


@pytest_asyncio.fixture
async def routes(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client of an application with some more routes."""

    @app.post("/fails")
    async def fails(session: Writing) -> None:
        session.add(Limit(key="fails"))
        await session.flush()
        raise RuntimeError(SECRET)

    @app.post("/refuses")
    async def refuses(session: Writing) -> None:
        session.add(Limit(key="refuses"))
        await session.flush()
        raise ConflictError

    @app.post("/writes/{key}")
    async def writes(session: Writing, key: str) -> None:
        session.add(Limit(key=key))
        await session.flush()

    @app.post("/wrong")
    async def wrong(session: Writing) -> None:
        await session.execute(text("SELECT nothing FROM nowhere"))

    async with asking(app) as client:
        yield client


async def limits(resources: Resources) -> int:
    async with resources.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Limit)) or 0


@every_database
async def test_a_request_commits_once_and_as_a_whole(routes: AsyncClient, resources: Resources) -> None:
    assert (await routes.post("/writes/key")).status_code == 200
    assert await limits(resources) == 1
    with capture_logs():  # a traceback takes long to draw
        for path in ("/fails", "/refuses", "/wrong", "/writes/key"):
            assert (await routes.post(path)).status_code in {409, 500}
    assert await limits(resources) == 1


async def test_an_error_of_ours_is_in_the_log_and_not_in_the_answer(routes: AsyncClient) -> None:
    await routes.post("/writes/twice")
    for path in ("/fails", "/wrong", "/writes/twice"):
        with capture_logs() as logs:
            answer = await routes.post(path, headers={"X-Request-ID": "mine"})
        assert_problem(answer, 500, "mine")
        for words in (SECRET, "nowhere", "limits", "twice'", "Error"):
            assert words not in answer.text.replace("Internal Server Error", "")
        [failed] = [entry for entry in logs if entry["event"] == "request.failed"]
        assert failed["log_level"] == "error"


async def test_a_commit_that_fails_is_no_success(app: FastAPI, resources: Resources) -> None:
    @app.post("/cut-off")
    async def cut_off(session: Writing) -> None:
        session.add(Limit(key="lost"))
        await session.flush()
        process = await session.scalar(text("SELECT pg_backend_pid()"))
        async with resources.database.writing() as other:
            await other.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})

    async with asking(app) as client:
        answer = await client.post("/cut-off")
    assert_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert await limits(resources) == 0


async def test_without_its_database_the_api_asks_to_come_again(settings: Settings) -> None:
    async with open_database("postgresql://127.0.0.1:1/nothing", application="tests") as database:
        app = make_app(Resources(settings, database, None, JobClient(database, None)), may_be_open=True)
        async with asking(app) as client, asking(app, new_secret()) as known:
            for answer in (await client.get("/v1/runs"), await known.get("/v1/runs")):
                assert_problem(answer, 503)
                assert int(answer.headers["retry-after"]) > 0


async def test_who_finds_all_connections_in_use_is_asked_to_come_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "WAIT_SECONDS", 0.05)
    async with open_resources(settings.model_copy(update={"pool_size": 3})) as resources:
        app = make_app(resources, may_be_open=True)
        async with asking(app) as client, app.state.held.place():
            answer = await client.get("/v1/runs")
        assert_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        async with asking(app) as client:
            assert (await client.get("/v1/runs")).status_code == 200


async def test_a_request_keeps_its_id_if_it_is_a_sane_one(anybody: AsyncClient) -> None:
    for given, kept in (("abc-1", True), ("x" * 129, False), ('a"b', False), ("", False)):
        answer = await anybody.get("/livez", headers={"X-Request-ID": given})
        assert (answer.headers["x-request-id"] == given) == kept
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_probes_may_ask_for_the_head_alone(address: str) -> None:
    async with AsyncClient(base_url=address, timeout=120) as probe, asyncio.timeout(120):
        while (await probe.head("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
        for path in ("/livez", "/readyz"):
            full, head = await probe.get(path), await probe.head(path)
            assert (head.status_code, head.content) == (full.status_code, b"")
            assert head.headers["content-length"] == str(len(full.content))


async def test_readiness_names_the_services_and_metrics_count_requests(anybody: AsyncClient) -> None:
    async with asyncio.timeout(120):
        while (ready := await anybody.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
    assert ready.json() == {"database": "ok", "schema": "ok", "redis": "ok"}
    await anybody.get("/v1/runs?limit=1")
    await anybody.get("/v1/nothing/there")
    metrics = (await anybody.get("/metrics")).text
    for labels in ('method="GET",route="/v1/runs",status="200"', 'method="GET",route="none",status="404"'):
        assert f"headrace_http_request_seconds_count{{{labels}}} 1.0" in metrics
    assert "headrace_pool_size" in metrics
    assert "headrace_build_info" in metrics


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=x.y", "text/plain; version=x"])
async def test_metrics_are_given_whatever_version_is_asked_for(anybody: AsyncClient, accept: str) -> None:
    answer = await anybody.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_a_rate_bounds_each_token_by_itself(settings: Settings) -> None:
    limited = settings.model_copy(update={"rate_limit": "3/minute"})
    async with open_resources(limited) as resources:
        app = make_app(resources, may_be_open=False)
        one, two = [await token(resources.database, TokenScope.READ, name) for name in ("one", "two")]
        async with asking(app, one) as client:
            answers = [await client.get("/v1/schedule") for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
            assert answers[0].headers["ratelimit"].startswith('"default";r=2;t=')
            assert_problem(answers[3], 429)
            assert int(answers[3].headers["retry-after"]) > 0
            assert (await client.get("/livez")).status_code == 200
        async with asking(app, two) as client:
            assert (await client.get("/v1/schedule")).status_code == 200


async def test_pages_of_other_origins_get_nothing_unless_they_are_named(settings: Settings) -> None:
    origin = "https://app.example.com"
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for origins, allowed in (((), None), ((origin,), origin)):
        changed = settings.model_copy(update={"cors_origins": origins})
        async with (
            open_resources(changed) as resources,
            asking(make_app(resources, may_be_open=True)) as client,
        ):
            asked = await client.options("/v1/runs", headers=preflight)
            assert asked.headers.get("access-control-allow-origin") == allowed
            answer = await client.get("/v1/runs", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed
