"""Pages: every row once and in order, whatever comes and goes between two of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from models import User
from models.pages import Cursor, Order, Page, Paging
from models.user_search import ORDERS, UserFilter, search_users, user_order
from tests.conftest import every_database
from tests.factories import NOON, SITE, store, user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from worker.resources import Resources

EVERYBODY = UserFilter(site=SITE)
# Few different values, so that most tie; a name and a time may be missing.
VALUES = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "a", "b"]),
        "reputation": st.integers(0, 2),
        "created_at": st.sampled_from([None, NOON, NOON + timedelta(microseconds=1)]),
    }
)
CHANGES = st.lists(st.tuples(st.lists(VALUES, max_size=3), st.lists(st.integers(0, 30), max_size=3)))


def in_order(users: Sequence[User], order: Order) -> list[int]:
    """Sort in plain Python: what is missing comes last, ties go by id."""
    name = order.column.key
    present = [u for u in users if getattr(u, name) is not None]
    absent = [u for u in users if getattr(u, name) is None]
    ordered = sorted(present, key=lambda u: (getattr(u, name), u.id), reverse=order.descending)
    return [u.id for u in (*ordered, *sorted(absent, key=lambda u: u.id, reverse=order.descending))]


class Crowd:
    """The users of a site, who come and go in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.numbers = count()
        self.there: dict[int, User] = {}

    async def come(self, rows: Sequence[dict[str, Any]]) -> None:
        users = [User(site=SITE, external_id=str(next(self.numbers)), **row) for row in rows]
        self.session.add_all(users)
        await self.session.flush()
        self.there |= {user.id: user for user in users}

    async def go(self, ids: set[int]) -> None:
        await self.session.execute(delete(User).where(User.id.in_(ids)))
        for gone in ids:
            del self.there[gone]


@every_database
@pytest.mark.parametrize("descending", [False, True])
@given(
    name=st.sampled_from(sorted(ORDERS)),
    first=st.lists(VALUES, max_size=12),
    changes=CHANGES,
    limit=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_rows_that_stay_are_read_once_and_in_order_while_others_come_and_go(
    resources: Resources,
    name: str,
    first: list[dict[str, Any]],
    changes: list[tuple[list[dict[str, Any]], list[int]]],
    limit: int,
    *,
    descending: bool,
) -> None:
    order = user_order(name, descending=descending)
    async with resources.database.writing() as session:
        crowd = Crowd(session)
        await crowd.come(first)
        stayed, seen, cursor = dict(crowd.there), list[int](), None
        for turn in count():
            page = await search_users(session, EVERYBODY, Paging(limit, after=cursor), order)
            seen += [found.id for found in page.items]
            assert len(seen) == len(set(seen))
            if (cursor := page.next) is None:
                break
            come, go = changes[turn] if turn < len(changes) else ([], [])
            await crowd.come(come)
            await crowd.go({number for place, number in enumerate(sorted(crowd.there)) if place in go})
            stayed = {number: user for number, user in stayed.items() if number in crowd.there}
    assert [number for number in seen if number in stayed] == in_order(list(stayed.values()), order)


@every_database
async def test_an_offset_gives_the_same_rows_and_counts_them_all(resources: Resources) -> None:
    await store(resources.database, *(user(n, reputation=n % 3) for n in range(10)))
    await store(resources.database, user("elsewhere"), site="other")
    order = user_order("reputation", descending=True)
    async with resources.database.reading() as session:
        pages = [await search_users(session, EVERYBODY, Paging(4, offset=o), order) for o in (0, 4, 8)]
        users = (await session.scalars(select(User).where(User.site == SITE))).all()
    assert [found.id for page in pages for found in page.items] == in_order(users, order)
    assert [page.total for page in pages] == [10, 10, 10]
    assert [page.next is None for page in pages] == [False, False, True]


@every_database
async def test_a_cursor_that_no_row_has_any_more_still_holds_its_place(resources: Resources) -> None:
    await store(resources.database, *(user(n, reputation=n) for n in range(4)))
    async with resources.database.reading() as session:
        after = Cursor(value=2, id=10**12)
        page = await search_users(session, EVERYBODY, Paging(9, after=after), user_order("reputation"))
    assert [found.reputation for found in page.items] == [3]


@every_database
async def test_a_list_that_ends_with_its_page_has_no_next(resources: Resources) -> None:
    await store(resources.database, user(1), user(2))
    async with resources.database.reading() as session:
        page = await search_users(session, EVERYBODY, Paging(2))
        nothing = await search_users(session, UserFilter(site="none"), Paging(2, offset=0))
    assert (len(page.items), page.next, page.total) == (2, None, None)
    assert nothing == Page([], None, 0)


def test_an_order_says_what_its_cursors_hold() -> None:
    assert {name: user_order(name).kind.__name__ for name in ORDERS} == {
        "id": "int",
        "name": "str",
        "reputation": "int",
        "created_at": "datetime",
    }
