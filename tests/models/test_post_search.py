"""Posts are found with their authors and tags, the newest first."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from models import User
from models.pages import Paging
from models.post_search import PostFilter, post_by_id, post_by_key, posts_of_user, search_posts
from models.user import user_by_key
from tests.conftest import every_database
from tests.factories import NOON, SITE, post, store, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.sources.record import PostRecord
    from worker.resources import Resources

TAGS = ("a", "b", "c")


def many(how_many: int = 60) -> list[PostRecord]:
    dice = random.Random(4)
    return [
        post(
            number,
            dice.choice([None, 0, 1, 2]),
            score=dice.randint(-3, 9),
            kind=dice.choice(["question", "answer"]),
            title=dice.choice([None, "Où est le café?", "100% sûr"]),
            tags=tuple(tag for tag in TAGS if dice.random() < 0.4),
            created_at=NOON + timedelta(hours=dice.randrange(20)),
        )
        for number in range(how_many)
    ]


async def found(resources: Resources, which: PostFilter, limit: int) -> list[str]:
    """Read page after page to the end."""
    ids: list[str] = []
    paging: Paging | None = Paging(limit)
    async with resources.database.reading() as session:
        while paging:
            page = await search_posts(session, which, paging)
            ids += [one.external_id for one in page.items]
            paging = Paging(limit, after=page.next) if page.next else None
    return ids


NARROWED: list[tuple[dict[str, Any], Callable[[PostRecord], bool]]] = [
    ({}, lambda _: True),
    ({"kind": "answer"}, lambda p: p.kind == "answer"),
    ({"min_score": 2, "max_score": 5}, lambda p: 2 <= p.score <= 5),
    ({"since": NOON + timedelta(hours=5)}, lambda p: p.created_at >= NOON + timedelta(hours=5)),
    ({"until": NOON + timedelta(hours=5)}, lambda p: p.created_at < NOON + timedelta(hours=5)),
    ({"title_contains": "CAFÉ"}, lambda p: "café" in (p.title or "")),
    ({"title_contains": "100%"}, lambda p: "100%" in (p.title or "")),
    ({"all_tags": ["a", "b"]}, lambda p: {"a", "b"} <= set(p.tags)),
    ({"any_tags": ["a", "b", "unheard"]}, lambda p: bool({"a", "b"} & set(p.tags))),
    ({"all_tags": ["c"], "any_tags": ["a", "b"]}, lambda p: "c" in p.tags and bool({"a", "b"} & set(p.tags))),
    ({"all_tags": ["a", "unheard"]}, lambda _: False),
    ({"any_tags": ["unheard"]}, lambda _: False),
    ({"site": "other"}, lambda _: False),
]


@every_database
async def test_posts_that_meet_all_conditions_come_newest_first(resources: Resources) -> None:
    posts = many()
    await store(resources.database, *map(user, range(3)), *posts)
    for asked, holds in NARROWED:
        # They were stored in the order of their numbers, so ids and numbers go the same way.
        truth = sorted(filter(holds, posts), key=lambda p: (p.created_at, int(p.external_id)), reverse=True)
        which = PostFilter(**({"site": SITE} | asked))
        assert await found(resources, which, 7) == [p.external_id for p in truth], asked


@every_database
async def test_a_post_comes_with_its_author_and_tags(resources: Resources) -> None:
    await store(resources.database, user(1), post("a", 1, tags=("y", "x")), post("b"))
    async with resources.database.reading() as session:
        one = await post_by_key(session, SITE, "a")
        assert one is not None
        assert one.author is not None
        assert (one.author.external_id, [tag.name for tag in one.tags]) == ("1", ["x", "y"])
        again = await post_by_id(session, one.id)
        assert again is one
        without = await post_by_key(session, SITE, "b")
        assert without is not None
        assert (without.author, without.tags) == (None, [])
        assert await post_by_key(session, "other", "a") is None
        assert await post_by_id(session, -1) is None


@every_database
async def test_a_users_posts_come_page_by_page_with_their_tags(resources: Resources) -> None:
    posts = many()
    await store(resources.database, *map(user, range(3)), *posts)
    own = sorted(
        (p for p in posts if p.author_external_id == "1"),
        key=lambda p: (p.created_at, int(p.external_id)),
        reverse=True,
    )
    async with resources.database.reading() as session:
        author = await user_by_key(session, SITE, "1")
        assert author is not None
        first = await posts_of_user(session, author, Paging(5, offset=0))
        rest = await posts_of_user(session, author, Paging(100, after=first.next))
    listed = [*first.items, *rest.items]
    assert [one.external_id for one in listed] == [p.external_id for p in own]
    assert [tuple(tag.name for tag in one.tags) for one in listed] == [p.tags for p in own]
    assert all(one.author is author for one in listed)
    assert first.total == len(own)


@every_database
@pytest.mark.parametrize("how", ["add", "remove"])
async def test_the_write_only_relation_takes_posts_and_lets_go_of_them(
    resources: Resources, how: str
) -> None:
    await store(resources.database, user(1), post("a", None if how == "add" else 1))
    async with resources.database.writing.begin() as session:
        author = await user_by_key(session, SITE, "1")
        one = await post_by_key(session, SITE, "a")
        assert isinstance(author, User)
        assert one is not None
        change = author.posts.add if how == "add" else author.posts.remove
        change(one)
    async with resources.database.reading() as session:
        one = await post_by_key(session, SITE, "a")
        assert one is not None
        assert (one.author is not None) is (how == "add")
