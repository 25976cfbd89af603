"""Tags are counted as plain Python counts them."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from models.tag import tag_names_of
from models.tag_counts import related_tags, top_tags
from tests.conftest import every_database
from tests.factories import SITE, post, posts_of, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from worker.resources import Resources

NAMES = ("R", "r", "sql", "où", "c++", "'; --")


def tagged(seed: int) -> dict[str, tuple[str, ...]]:
    dice = random.Random(seed)
    return {
        str(number): tuple(sorted(dice.sample(NAMES, dice.randrange(4)), key=str)) for number in range(50)
    }


def listed(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].encode()))


def pairs(rows: Sequence[Row[str, int]]) -> list[tuple[str, int]]:
    return [(name, posts) for name, posts in rows]


@every_database
async def test_tags_are_counted_of_a_site_and_of_all(resources: Resources) -> None:
    here, there = tagged(1), tagged(2)
    await store(resources.database, *(post(key, tags=tags) for key, tags in here.items()))
    await store(resources.database, *(post(key, tags=tags) for key, tags in there.items()), site="other")
    own = Counter(tag for tags in here.values() for tag in tags)
    other = Counter(tag for tags in there.values() for tag in tags)
    async with resources.database.reading() as session:
        assert pairs(await top_tags(session, SITE, 100)) == listed(own)
        assert pairs(await top_tags(session, None, 3)) == listed(own + other)[:3]
        assert await top_tags(session, "none", 9) == []


@every_database
async def test_tags_that_stand_together_are_counted(resources: Resources) -> None:
    posts = tagged(3)
    await store(resources.database, *(post(key, tags=tags) for key, tags in posts.items()))
    async with resources.database.reading() as session:
        for name in (*NAMES, "unheard"):
            together = Counter(tag for tags in posts.values() if name in tags for tag in tags if tag != name)
            assert pairs(await related_tags(session, name, 100)) == listed(together)
        assert len(await related_tags(session, "sql", 2)) == 2


@every_database
async def test_the_tags_of_posts_come_in_order(resources: Resources) -> None:
    await store(resources.database, post("a", tags=("y", "x")), post("b"), post("c", tags=("z",)))
    ids = {key: one.id for key, one in (await posts_of(resources.database)).items()}
    async with resources.database.reading() as session:
        names = await tag_names_of(session, list(ids.values()))
    assert names == {ids["a"]: ["x", "y"], ids["c"]: ["z"]}
