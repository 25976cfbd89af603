from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from models.stats_upkeep import drifted
from tests.conftest import every_database
from tests.factories import SITE, post, store, user
from tests.worker.web.conftest import assert_problem, sent_for_requests
from worker.web.paging import cursor_of

if TYPE_CHECKING:
    from httpx import AsyncClient

    from worker.resources import Resources

pytestmark = every_database


async def added(anybody: AsyncClient, noun: str, external_id: object, **values: Any) -> dict[str, Any]:
    body = {"site": SITE, "external_id": str(external_id)} | values
    answer = await anybody.post(f"/v1/{noun}", json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/{noun}/{document['id']}"
    return document


async def items(anybody: AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = await anybody.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_user_is_added_found_changed_and_deleted(anybody: AsyncClient) -> None:
    ada = await added(anybody, "users", "a/1", name="Ada", email="Ada@example.com", reputation=3)
    assert (await anybody.get(f"/v1/users/{ada['id']}")).json() == ada
    assert (await anybody.get(f"/v1/sites/{SITE}/users/a/1")).json() == ada
    assert await items(anybody, "/v1/users", name_contains="DA", email="ada@EXAMPLE.com") == [ada]
    assert await items(anybody, "/v1/users", name_contains="DA", min_reputation=4) == []
    changed = await anybody.patch(f"/v1/users/{ada['id']}", json={"email": None, "reputation": 4})
    assert changed.json() == ada | {"email": None, "reputation": 4}
    assert (await anybody.delete(f"/v1/users/{ada['id']}")).status_code == 204
    for answer in (
        await anybody.get(f"/v1/users/{ada['id']}"),
        await anybody.delete(f"/v1/users/{ada['id']}"),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such user.")


async def test_a_post_is_added_found_changed_and_deleted(anybody: AsyncClient) -> None:
    ada = await added(anybody, "users", 1, name="Ada")
    made = await added(
        anybody, "posts", 1, author_external_id="1", content="<p>two words</p>", tags=["b", "a"], score=5
    )
    assert made["author"] == {"id": ada["id"], "external_id": "1", "name": "Ada"}
    assert (made["tags"], made["word_count"], made["kind"]) == (["a", "b"], 2, "post")
    assert (await anybody.get(f"/v1/posts/{made['id']}")).json() == made
    assert (await anybody.get(f"/v1/sites/{SITE}/posts/1")).json() == made
    summary = {name: value for name, value in made.items() if name != "content"}
    assert await items(anybody, "/v1/posts", tag=["a", "b"], kind="post") == [summary]
    assert await items(anybody, f"/v1/users/{ada['id']}/posts") == [summary]
    changed = await anybody.patch(f"/v1/posts/{made['id']}", json={"tags": ["c"], "content": "one"})
    assert changed.json() == made | {"tags": ["c"], "content": "one", "word_count": 1}
    assert (await anybody.delete(f"/v1/posts/{made['id']}")).status_code == 204
    assert (await anybody.get(f"/v1/posts/{made['id']}")).status_code == 404


@pytest.mark.parametrize("noun", ["users", "posts"])
async def test_a_site_has_one_of_each_id(anybody: AsyncClient, noun: str) -> None:
    await added(anybody, noun, 1)
    again = await anybody.post(f"/v1/{noun}", json={"site": SITE, "external_id": "1"})
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    assert "has 1 already" in again.json()["detail"]


async def test_statistics_are_exact_after_every_change(anybody: AsyncClient, resources: Resources) -> None:
    ada, bob = await added(anybody, "users", 1), await added(anybody, "users", 2)
    first = await added(anybody, "posts", 1, author_external_id="1", score=5)
    second = await added(anybody, "posts", 2, author_external_id="1", score=2)
    await anybody.patch(f"/v1/posts/{first['id']}", json={"author_external_id": "2"})
    await anybody.patch(f"/v1/posts/{second['id']}", json={"score": 3})

    async def total(who: dict[str, Any]) -> tuple[int, int, float | None]:
        found = (await anybody.get(f"/v1/users/{who['id']}/statistics")).json()
        return found["post_count"], found["total_score"], found["mean_score"]

    assert (await total(ada), await total(bob)) == ((1, 3, 3.0), (1, 5, 5.0))
    ranks = await items(anybody, "/v1/authors", by="total_score")
    assert [(one["external_id"], one["rank"]) for one in ranks] == [("2", 1), ("1", 2)]
    await anybody.delete(f"/v1/posts/{second['id']}")
    assert await total(ada) == (0, 0, None)
    async with resources.database.reading() as session:
        assert await drifted(session) == 0


async def test_pages_follow_one_another_by_cursor_or_offset(
    anybody: AsyncClient, resources: Resources
) -> None:
    await store(resources.database, *(user(number, reputation=number % 3) for number in range(10)))
    asked: dict[str, Any] = {"order": "reputation", "descending": True, "limit": 4}
    every = [one["id"] for one in await items(anybody, "/v1/users", **asked | {"limit": 200})]
    seen: list[int] = []
    after: dict[str, Any] = {}
    while True:
        page = (await anybody.get("/v1/users", params=asked | after)).json()
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == every
    skipped = (await anybody.get("/v1/users", params=asked | {"offset": 8})).json()
    assert ([one["id"] for one in skipped["items"]], skipped["total"]) == (every[8:], 10)


@pytest.mark.parametrize(
    "query",
    [
        {"after": "nonsense"},
        {"after": "WyJpZCIsMSwxXQ", "order": "name"},
        {"after": "WyJpZCIsMSwxXQ", "offset": 3},
        {"limit": 0},
        {"site": "a\0b"},
        {"created_since": "0001-01-01T00:00:00+14:00"},
        {"created_since": "2026-01-01T00:00:00"},
        {"min_reputation": 2**63},
        {"unknown": 1},
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(anybody: AsyncClient, query: dict[str, Any]) -> None:
    answer = await anybody.get("/v1/users", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


TAMPERED: tuple[tuple[str, list[Any]], ...] = (
    ("users", ["id", 1, 2**63]),
    ("users", ["id", 2**70, 1]),
    ("users", ["id", 1, -1]),
    ("users?order=reputation", ["reputation", 2**70, 1]),
    ("users?order=name", ["name", "a\0b", 1]),
    ("users?order=name", ["name", "\ud800", 1]),
    ("users?order=created_at", ["created_at", "2020-01-01T00:00:00", 1]),
    ("users?order=created_at", ["created_at", "0001-01-01T00:00:00+14:00", 1]),
    ("posts", ["created_at desc", "9999-12-31T23:59:59-10:00", 1]),
)


@pytest.mark.parametrize(("path", "key"), TAMPERED)
async def test_a_cursor_that_was_tampered_with_is_refused(
    anybody: AsyncClient, path: str, key: list[Any]
) -> None:
    address = f"/v1/{path}{'&' if '?' in path else '?'}after={cursor_of(key)}"
    assert_problem(await anybody.get(address), 422, "`after` must be `next`")


async def test_tags_are_counted_alone_and_together(anybody: AsyncClient) -> None:
    for number, tags in enumerate((["c/c++", "sql"], ["c/c++", "sql"], ["c/c++"])):
        await added(anybody, "posts", number, tags=tags)
    assert await items(anybody, "/v1/tags") == [{"name": "c/c++", "posts": 3}, {"name": "sql", "posts": 2}]
    assert await items(anybody, "/v1/tags/c/c++/related") == [{"name": "sql", "posts": 2}]
    assert await items(anybody, "/v1/tags", site="elsewhere") == []


READS = (
    "/v1/users",
    "/v1/users?name_contains=user&offset=0",
    "/v1/users/post-counts",
    "/v1/users/{author}",
    "/v1/users/{author}/posts",
    "/v1/users/{author}/statistics",
    f"/v1/sites/{SITE}/users/0",
    "/v1/posts",
    "/v1/posts?tag=a&offset=0",
    "/v1/posts/{post}",
    f"/v1/sites/{SITE}/posts/0",
    "/v1/authors",
    "/v1/tags",
    "/v1/tags/a/related",
)


@pytest.mark.parametrize("path", READS)
async def test_a_read_costs_as_many_statements_for_one_row_as_for_a_hundred(
    anybody: AsyncClient, resources: Resources, path: str
) -> None:
    await store(resources.database, user(0), post(0, 0, tags=("a", "b")))
    ids = {
        "author": (await items(anybody, "/v1/users"))[0]["id"],
        "post": (await items(anybody, "/v1/posts"))[0]["id"],
    }
    counts = []
    for _ in range(2):
        with sent_for_requests(resources) as statements:
            assert (await anybody.get(path.format(**ids))).status_code == 200
        counts.append(len(statements))
        more = [post(number, 0, tags=("a", f"t{number}")) for number in range(1, 101)]
        await store(resources.database, *(user(number) for number in range(1, 101)), *more)
    assert 0 < counts[0] == counts[1] <= 5


async def test_what_is_added_at_once_is_linked(anybody: AsyncClient) -> None:
    for number in range(10):
        keys = {"site": SITE, "external_id": f"p{number}"}
        post_ = keys | {"author_external_id": f"u{number}", "parent_external_id": f"q{number}"}
        answers = await asyncio.gather(
            anybody.post("/v1/posts", json=post_),
            anybody.post("/v1/users", json=keys | {"external_id": f"u{number}"}),
            anybody.post("/v1/posts", json=keys | {"external_id": f"q{number}"}),
        )
        assert [answer.status_code for answer in answers] == [201] * 3
        found = (await anybody.get(f"/v1/posts/{answers[0].json()['id']}")).json()
        assert found["author"]["id"] == answers[1].json()["id"]
        assert found["parent_id"] == answers[2].json()["id"]
        figures = (await anybody.get(f"/v1/users/{answers[1].json()['id']}/statistics")).json()
        assert figures["post_count"] == 1
