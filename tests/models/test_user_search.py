"""Users are found by key and by what is known of them, without regard to case."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from models.pages import Paging
from models.user import user_by_id, user_by_key, users_by_ids
from models.user_search import UserFilter, count_posts, posts_per_author, search_users
from tests.conftest import every_database
from tests.factories import NOON, SITE, post, store, user

if TYPE_CHECKING:
    from worker.resources import Resources


async def names(resources: Resources, **asked: Any) -> list[str | None]:
    async with resources.database.reading() as session:
        page = await search_users(session, UserFilter(**asked), Paging(100))
    return [found.name for found in page.items]


@every_database
async def test_a_user_is_found_by_id_and_by_natural_key(resources: Resources) -> None:
    await store(resources.database, user("R"), user("r"))
    await store(resources.database, user("R"), site="other")
    async with resources.database.reading() as session:
        found = await user_by_key(session, SITE, "R")
        assert found is not None
        assert (found.site, found.external_id) == (SITE, "R")
        assert await user_by_id(session, found.id) is found
        other = await user_by_key(session, "other", "R")
        assert other is not None
        assert list(await users_by_ids(session, [other.id, found.id, -1])) == [found, other]
        assert await user_by_key(session, SITE, "nobody") is None
        assert await user_by_id(session, -1) is None


@every_database
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ÉLODIE", ["élodie Durand"]),  # letters beyond ASCII have cases too
        ("elodie", []),  # an accent is no case
        ("straße", ["Große Straße"]),
        ("STRASSE", []),  # ß and ss differ in length, and no database lowers one to the other
        ("istanbul", ["İstanbul"]),
        ("İSTANBUL", ["İstanbul"]),
        ("ΟΔΟΣ", ["οδοσ"]),  # a Σ is lowered the same wherever it stands
        ("привет", ["ПРИВЕТ"]),
        ("100%", ["100%_/sure"]),  # what is a wildcard of LIKE is looked for as it is
        ("%", ["100%_/sure"]),
        ("_/S", ["100%_/sure"]),
        ("\\", ["back\\slash"]),
        ("'; --", ["'; -- drop"]),
    ],
)
async def test_names_are_searched_without_case_and_wildcards(
    resources: Resources, asked: str, found: list[str]
) -> None:
    everybody = [
        "élodie Durand",
        "Große Straße",
        "İstanbul",
        "οδοσ",
        "ПРИВЕТ",
        "100%_/sure",
        "back\\slash",
        "'; -- drop",
    ]
    await store(resources.database, *(user(n, name=name) for n, name in enumerate([*everybody, None])))
    assert await names(resources, name_contains=asked) == found


@every_database
async def test_a_name_may_be_asked_for_by_its_beginning(resources: Resources) -> None:
    await store(resources.database, *(user(n, name=n) for n in ("Ann", "anna", "Joann", "a%n")))
    assert sorted(map(str, await names(resources, name_starts="AN"))) == ["Ann", "anna"]
    assert await names(resources, name_starts="a%") == ["a%n"]


@every_database
async def test_an_address_is_asked_for_whole_or_in_part(resources: Resources) -> None:
    addresses = {"ann": "Ann@Example.org", "joann": "joann@example.org", "none": None}
    await store(resources.database, *(user(n, name=n, email=e) for n, e in addresses.items()))
    assert await names(resources, email="ann@example.ORG") == ["ann"]
    assert await names(resources, email_contains="@EXAMPLE") == ["ann", "joann"]


@every_database
async def test_all_conditions_must_be_met(resources: Resources) -> None:
    people = [(n, name, site) for n, name in enumerate(["Ann", "Anna", "Bob"]) for site in (SITE, "other")]
    for number, name, site in people:
        values = {
            "reputation": number * 10,
            "created_at": NOON + timedelta(days=number),
            "email": f"{name}@x",
        }
        await store(resources.database, user(number, name=name, **values), site=site)
    assert await names(resources, site=SITE, name_starts="ann", min_reputation=10) == ["Anna"]
    assert await names(resources, site=SITE, max_reputation=10, email_contains="@X") == ["Ann", "Anna"]
    # The first moment is included, the last is not.
    since, until = NOON + timedelta(days=1), NOON + timedelta(days=2)
    assert await names(resources, site="other", created_since=since, created_until=until) == ["Anna"]
    assert len(await names(resources)) == 6


@every_database
async def test_posts_are_counted_for_each_author(resources: Resources) -> None:
    await store(
        resources.database, *map(user, range(4)), *(post(n, n % 3 and 1) for n in range(7)), post("x")
    )
    async with resources.database.reading() as session:
        found = await posts_per_author(session, SITE, Paging(2, offset=0))
        everybody = await posts_per_author(session, SITE, Paging(9), also_without=True)
        counts = await count_posts(session, [one.id for one, _ in everybody.items])
    assert [(one.external_id, number) for one, number in found.items] == [("0", 3), ("1", 4)]
    assert found.total == 2
    assert [(one.external_id, number) for one, number in everybody.items] == [
        ("0", 3),
        ("1", 4),
        ("2", 0),
        ("3", 0),
    ]
    assert list(counts.values()) == [3, 4, 0, 0]
