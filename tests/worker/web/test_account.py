"""Plans, verifications and origins over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from models.run import FINISHED
from tests.conftest import every_database
from tests.factories import json_posts, json_users, write_jsonl
from tests.worker.web.conftest import assert_problem
from worker.main import working
from worker.web.folders import uploads_of

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import AsyncClient

    from worker.resources import Resources
    from worker.settings import Settings


async def ran(anybody: AsyncClient, job: str, **request: Any) -> dict[str, Any]:
    """Ask for a run and follow it to its end."""
    asked = await anybody.post("/v1/runs", json={"job": job, "request": request})
    assert asked.status_code == 202, asked.text
    async with asyncio.timeout(120):
        while (run := (await anybody.get(asked.headers["location"])).json())["state"] not in FINISHED:
            await asyncio.sleep(0.05)
    assert run["state"] == "succeeded", run["error"]
    return dict(run)


@every_database
async def test_an_import_is_planned_carried_out_verified_and_explained(
    anybody: AsyncClient, resources: Resources, settings: Settings
) -> None:
    users = write_jsonl(uploads_of(settings) / "users.jsonl", json_users(7))
    posts = write_jsonl(uploads_of(settings) / "posts.jsonl", json_posts(30))
    what = {"urls": [str(users), str(posts)], "site": "beer"}
    async with working(resources):
        plan = (await ran(anybody, "plan_import", **what))["result"]["plan"]
        run = await ran(anybody, "import_dump", **what)
        verified = (await ran(anybody, "verify_run", run=run["run_id"]))["result"]
        site = (await ran(anybody, "verify_site", site="beer"))["result"]["verification"]
    assert (plan["inserted"], plan["read"]) == (run["inserted"], run["read"]) == (37, 37)
    assert len(plan["authors"]) == 7
    assert verified["sound"]
    for entity in ("users", "posts"):
        assert site["entities"][entity]["digest"] == run["entities"][entity]["digest"]
    post = (await anybody.get("/v1/sites/beer/posts/7")).json()
    origin = (await anybody.get(f"/v1/posts/{post['id']}/origin")).json()
    assert (origin["file"]["path"], origin["file"]["is"]) == (str(posts), "unchanged")
    assert (origin["run"]["run_id"], origin["run"]["job"]) == (run["run_id"], "import_dump")
    assert '"content": "text of post 7"' in origin["raw"]
    user = (await anybody.get("/v1/sites/beer/users/3")).json()
    assert '"user 3"' in (await anybody.get(f"/v1/users/{user['id']}/origin")).json()["raw"]
    tag = (await anybody.get("/v1/tags/tag-3/origin")).json()
    assert (tag["file"]["path"], tag["file"]["position"], tag["raw"]) == (str(posts), None, None)
    changed = await anybody.patch(f"/v1/posts/{post['id']}", json={"score": 3})
    assert changed.status_code == 200
    by_hand = (await anybody.get(f"/v1/posts/{post['id']}/origin")).json()
    assert (by_hand["file"], by_hand["run"], by_hand["raw"]) == (None, None, None)


async def test_the_origin_of_what_is_not_there_is_a_problem(anybody: AsyncClient) -> None:
    for path in ("users/1", "posts/1", "tags/nothing"):
        assert_problem(await anybody.get(f"/v1/{path}/origin"), 404, "There is no such")


async def test_a_file_outside_of_the_folders_is_not_planned(anybody: AsyncClient, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(1))
    body = {"job": "plan_import", "request": {"urls": [str(path)], "site": "beer"}}
    assert_problem(await anybody.post("/v1/runs", json=body), 422, "must be an absolute path inside of")
