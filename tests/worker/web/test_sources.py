"""`GET /v1/sources`: what is imported by the clock, as its command shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models import SourceState
from models.clock import moment
from tests.conftest import every_database
from tests.worker.web.conftest import asking
from worker.web.app import make_app

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import AsyncClient

    from worker.resources import Resources

FILE = """
[[source]]
name = "beer"
site = "beer"
url = "https://ada:love@example.org/beer.7z?key=secret"
cron = "0 5 * * *"
expect = { posts = 60 }
"""


async def test_without_a_file_there_is_none(anybody: AsyncClient) -> None:
    assert (await anybody.get("/v1/sources")).json() == {"items": [], "next": None}


@every_database
async def test_a_source_is_shown_with_its_alarm_and_without_its_secrets(
    resources: Resources, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(FILE)
    settings = resources.settings.model_copy(update={"sources": file})
    async with resources.database.writing.begin() as session:
        session.add(SourceState(name="beer", alarm="40 posts", alarm_since=await moment(session)))
    app = make_app(replace(resources, settings=settings), may_be_open=True)
    async with app.router.lifespan_context(app), asking(app) as anybody:
        answer = await anybody.get("/v1/sources")
        metrics = await anybody.get("/metrics")
        entries = (await anybody.get("/v1/schedule")).json()["items"]
    [source] = answer.json()["items"]
    assert source["urls"] == ["https://***@example.org/beer.7z?key=***"]
    assert (source["state"], source["alarm"], source["expect"]) == ("alarm", "40 posts", {"posts": 60})
    assert entries[-1]["name"] == "beer"
    assert "love" not in answer.text
    assert "headrace_source_alarm" in metrics.text
