"""Ranks are what plain Python makes of the posts, also while statistics are stale."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models import Post, User
from models.author_stats import FIGURES, mark_stale
from models.rankings import STATISTICS, Ranking, authors_around, statistics_of, top_authors
from models.stats_upkeep import recompute
from tests.conftest import every_database
from tests.factories import NOON, SITE, post, store, user
from tests.models.figures import expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources

SITES = ("one", "two")
AUTHORS = tuple((site, name) for site in SITES for name in "abc")
WRITTEN = st.lists(
    st.tuples(st.sampled_from(AUTHORS), st.integers(-1, 3), st.integers(0, 3), st.integers(0, 3)),
    max_size=25,
)
RANKINGS = st.builds(
    Ranking,
    by=st.sampled_from(STATISTICS),
    site=st.sampled_from([None, "one"]),
    each_site=st.booleans(),
    since=st.sampled_from([None, NOON + timedelta(days=1)]),
    until=st.sampled_from([None, NOON + timedelta(days=3)]),
)


async def write(
    session: AsyncSession, written: Sequence[tuple[tuple[str, str], int, int, int]], fresh: set[int]
) -> dict[tuple[str, str], list[Post]]:
    """Store posts of six authors; some have stored figures, those of the others are stale."""
    users = {key: User(site=key[0], external_id=key[1], name="x", reputation=0) for key in AUTHORS}
    session.add_all(users.values())
    await session.flush()
    numbers, own = count(), {key: list[Post]() for key in AUTHORS}
    for author, score, words, day in written:
        own[author].append(
            Post(
                site=author[0],
                external_id=str(next(numbers)),
                author_id=users[author].id,
                kind="post",
                content="word " * words,
                word_count=words,
                score=score,
                created_at=NOON + timedelta(days=day),
            )
        )
    session.add_all(one for posts in own.values() for one in posts)
    await session.flush()
    ids = [users[key].id for key in AUTHORS]
    await mark_stale(session, ids)
    await recompute(session, [author for place, author in enumerate(ids) if place in fresh])
    return own


def ranked(own: dict[tuple[str, str], list[Post]], ranking: Ranking) -> list[dict[str, Any]]:
    """Rank in plain Python."""
    rows = []
    for (site, name), posts in own.items():
        since, until = ranking.since or NOON, ranking.until or NOON + timedelta(days=9)
        counted = [p for p in posts if since <= p.created_at < until]
        if counted and ranking.site in {None, site}:
            rows.append({"site": site, "external_id": name} | expected(counted))
    for row in rows:
        among = [r[ranking.by] for r in rows if not ranking.each_site or r["site"] == row["site"]]
        row["rank"] = 1 + sum(value > row[ranking.by] for value in among)
        row["dense_rank"] = 1 + len({value for value in among if value > row[ranking.by]})
    key = ("site",) if ranking.each_site else ()
    return sorted(
        rows,
        key=lambda r: (*(r[k] for k in key), r["rank"], -r["post_count"], r["site"], r["external_id"]),
    )


def plain(rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    shown = ("site", "external_id", *FIGURES, "rank", "dense_rank")
    return [{name: row[name] for name in shown} for row in rows]


@every_database
@given(written=WRITTEN, fresh=st.sets(st.integers(0, 5)), ranking=RANKINGS, most=st.integers(1, 4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_ranks_and_figures_are_those_of_the_posts(
    resources: Resources,
    written: list[tuple[tuple[str, str], int, int, int]],
    fresh: set[int],
    ranking: Ranking,
    most: int,
) -> None:
    async with resources.database.writing() as session:
        truth = ranked(await write(session, written, fresh), ranking)
        assert plain(await top_authors(session, ranking, 100)) == truth
        first = [
            row
            for site in (SITES if ranking.each_site else (None,))
            for row in [r for r in truth if site in {None, r["site"]}][:most]
        ]
        assert plain(await top_authors(session, ranking, most)) == first
        for row in truth:
            near = [r for r in truth if not ranking.each_site or r["site"] == row["site"]]
            place = near.index(row)
            query = select(User.id).where(User.site == row["site"], User.external_id == row["external_id"])
            author = (await session.scalars(query)).one()
            around = await authors_around(session, ranking, author, 1)
            assert plain(around) == near[max(0, place - 1) : place + 2]


@every_database
async def test_authors_who_tie_share_a_rank_and_are_listed_the_same_way_each_time(
    resources: Resources,
) -> None:
    await store(
        resources.database,
        *map(user, "abcd"),
        post(1, "b", score=4),
        post(2, "a", score=4),
        post(3, "c", score=2),
        post(4, "c", score=2),
        post(5, "d", score=1),
    )
    async with resources.database.reading() as session:
        rows = await top_authors(session, Ranking(site=SITE), 4)
    listed = [(row["external_id"], row["rank"], row["dense_rank"]) for row in rows]
    assert listed == [("c", 1, 1), ("a", 1, 1), ("b", 1, 1), ("d", 4, 2)]


@every_database
async def test_an_author_without_posts_has_no_rank_and_no_statistics(resources: Resources) -> None:
    await store(resources.database, user("busy"), user("idle"), post(1, "busy", score=3))
    async with resources.database.reading() as session:
        ids = {one.external_id: one.id for one in await session.scalars(select(User))}
        assert await authors_around(session, Ranking(), ids["idle"], 5) == []
        found = await statistics_of(session, list(ids.values()))
    assert {author: row["total_score"] for author, row in found.items()} == {ids["busy"]: 3}


def test_every_number_that_is_kept_of_an_author_can_be_ranked() -> None:
    assert set(FIGURES) - set(STATISTICS) == {"first_post_at", "last_post_at"}


@pytest.mark.parametrize("statistic", STATISTICS)
async def test_stored_and_stale_figures_rank_alike(resources: Resources, statistic: Any) -> None:
    posts = [post(n, n % 4, score=n % 7, content="w " * (n % 5)) for n in range(40)]
    await store(resources.database, *map(user, range(4)), *posts)
    async with resources.database.writing.begin() as session:
        stale = plain(await top_authors(session, Ranking(by=statistic), 9))
        await recompute(session, (await session.scalars(select(User.id))).all())
        assert plain(await top_authors(session, Ranking(by=statistic), 9)) == stale
