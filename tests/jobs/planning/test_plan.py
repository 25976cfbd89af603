"""A plan says what the receipt of the import that follows will say, and writes nothing."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from jobs.errors import TooManyRejectsError
from jobs.loading import layouts_of, load
from jobs.planning import movements
from jobs.planning.limits import Limits
from jobs.planning.plan import plan
from jobs.reject_limit import RejectLimit
from jobs.snapshots import Snapshot
from jobs.sweeping import VanishedError
from models.post_changes import update_post
from models.rankings import Ranking, top_authors
from tests.chaos.truth import truth
from tests.conftest import every_database
from tests.factories import (
    SITE,
    json_posts,
    json_users,
    posts_of,
    run_of,
    running,
    write_jsonl,
    writer_for,
)
from worker.sample import write_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models import Database
    from worker.resources import Resources

BATCH = 10
NAMES = ("inserted", "updated", "unchanged", "deleted", "rejected", "skipped", "repaired")
NO_LIMITS = Limits()


async def planned(resources: Resources, *paths: Path, limits: Limits = NO_LIMITS) -> dict[str, Any]:
    layouts = layouts_of([str(path) for path in paths], "auto")
    async with resources.database.reporting(fresh=True) as session:
        return await plan(session, layouts, SITE, BATCH, limits)


async def imported(
    resources: Resources, *paths: Path, limits: Limits = NO_LIMITS
) -> dict[str, dict[str, int]]:
    """Import files and give the receipts."""
    context = await running(resources, batch_size=BATCH)
    layouts = layouts_of([str(path) for path in paths], "auto")
    writer = writer_for(resources.database)
    await load(context, layouts, SITE, writer, limits.rejects, limits.snapshot)
    receipts = (await run_of(resources, context.run_id)).receipts
    return {
        receipt.entity: {"read": receipt.records_read} | {name: getattr(receipt, name) for name in NAMES}
        for receipt in receipts
    }


def counts(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {
        entity: {name: said[name] for name in ("read", *NAMES)}
        for entity, said in document["entities"].items()
    }


async def figures(database: Database) -> dict[str, tuple[int, int]]:
    async with database.reading() as session:
        rows = await top_authors(session, Ranking(site=SITE), 1000)
    return {row["external_id"]: (row["post_count"], row["total_score"]) for row in rows}


async def check(resources: Resources, *paths: Path, limits: Limits = NO_LIMITS) -> dict[str, Any]:
    """Plan, see that nothing is written, import, and see that all came as planned."""
    before, ranked = await truth(resources.database), await figures(resources.database)
    document = await planned(resources, *paths, limits=limits)
    assert await truth(resources.database) == before
    assert counts(document) == await imported(resources, *paths, limits=limits)
    after = await figures(resources.database)
    moved = {
        key: tuple(
            now - then for now, then in zip(after.get(key, (0, 0)), ranked.get(key, (0, 0)), strict=True)
        )
        for key in after.keys() | ranked.keys()
    }
    assert document["authors_moved"] == sum(any(change) for change in moved.values())
    for author in document["authors"]:
        assert (author["posts"], author["total_score"]) == moved[author["external_id"]]
    return document


def dump(
    folder: Path, users: Sequence[dict[str, Any]], posts: Sequence[dict[str, Any]], tags: int = 4
) -> Path:
    folder.mkdir(exist_ok=True)
    write_jsonl(folder / "users.jsonl", users)
    write_jsonl(folder / "tags.jsonl", [{"name": f"tag-{n}"} for n in range(tags)] * 2)
    write_jsonl(folder / "posts.jsonl", posts)
    return folder


@every_database
async def test_a_plan_counts_what_the_import_then_does(resources: Resources, tmp_path: Path) -> None:
    posts = json_posts(60)
    first = await check(resources, dump(tmp_path / "one", json_users(5), posts))
    assert first["entities"]["posts"]["inserted"] == 60
    assert (first["vanished"], first["deleted"]) == (0, 0)
    again = await check(resources, tmp_path / "one")
    assert (again["unchanged"], again["inserted"], again["authors"]) == (73, 0, [])
    posts[3]["score"] = 50
    posts[4]["author_external_id"] = 1
    posts[5]["tags"] = ["other"]
    posts[6]["created_at"] = "never"
    # The users 5 and 6 have come: posts that waited for them are linked, by being read again or at the end.
    second = await check(resources, dump(tmp_path / "two", json_users(8), posts[:30], tags=6))
    assert second["entities"]["posts"]["vanished"] == 31
    assert second["entities"]["users"]["inserted"] == 3
    assert [example["rule"] for example in second["rejects"]] == ["date"]


@every_database
async def test_repeats_and_late_parents_count_as_the_import_counts_them(
    resources: Resources, tmp_path: Path
) -> None:
    dice = random.Random(7)
    for number in range(3):
        posts = [
            row | {"external_id": dice.randrange(25), "parent_external_id": dice.choice([None, *range(40)])}
            for row in json_posts(70, authors=9)
        ]
        posts = [row | {"score": dice.randrange(2), "content": "same", "tags": []} for row in posts]
        users = [{"external_id": dice.randrange(9), "name": dice.choice("ab")} for _ in range(12 * number)]
        await check(resources, dump(tmp_path / str(number), users or json_users(1), posts))
        await check(resources, tmp_path / str(number) / "posts.jsonl")


async def test_a_dirty_dump_is_planned_with_its_rejects_repairs_and_unknown_fields(
    resources: Resources, tmp_path: Path
) -> None:
    write_sample(tmp_path / "sample", users=80, posts=500, seed=5, dirty=True)
    document = await check(resources, tmp_path / "sample")
    assert document["rejected"] == sum(
        sum(entity["rejects_by_rule"].values()) for entity in document["entities"].values()
    )
    assert all(example["reason"] and example["source"] for example in document["rejects"])
    assert document["entities"]["posts"]["unknown_fields"]


@every_database
async def test_what_a_snapshot_would_delete_is_what_it_deletes_and_counts_for_nobody(
    resources: Resources, tmp_path: Path
) -> None:
    await imported(resources, dump(tmp_path / "one", json_users(7), json_posts(40)))
    smaller = dump(tmp_path / "two", json_users(7), json_posts(32))
    document = await check(resources, smaller, limits=Limits(snapshot=Snapshot("delete", force=False)))
    assert document["entities"]["posts"]["deleted"] == document["vanished"] == document["deleted"] == 8
    lost = [row for row in json_posts(40)[32:] if row["author_external_id"] == 2]
    [author] = [author for author in document["authors"] if author["external_id"] == "2"]
    assert (author["posts"], author["total_score"]) == (-len(lost), -sum(row["score"] for row in lost))


@every_database
async def test_what_is_marked_has_vanished_once_and_is_updated_when_it_comes_back(
    resources: Resources, tmp_path: Path
) -> None:
    await imported(resources, dump(tmp_path / "one", json_users(7), json_posts(40)))
    smaller = dump(tmp_path / "two", json_users(6), json_posts(32))
    marking = Limits(snapshot=Snapshot("mark", force=False))
    first = await check(resources, smaller, limits=marking)
    assert (first["vanished"], first["deleted"]) == (9, 0)
    assert (await check(resources, smaller, limits=marking))["vanished"] == 0
    back = await check(resources, tmp_path / "one", limits=marking)
    assert (back["updated"], back["vanished"]) == (9, 0)


async def test_a_snapshot_that_looks_cut_off_is_said_to_fail(resources: Resources, tmp_path: Path) -> None:
    await imported(resources, dump(tmp_path / "one", json_users(7), json_posts(40)))
    cut = dump(tmp_path / "two", json_users(7), json_posts(10))
    deleting = Limits(snapshot=Snapshot("delete", force=False))
    document = await planned(resources, cut, limits=deleting)
    assert (document["vanished"], document["deleted"]) == (30, 0)
    [reason] = document["fails"]
    with pytest.raises(VanishedError) as failed:
        await imported(resources, cut, limits=deleting)
    assert str(failed.value) == reason
    forced = await planned(resources, cut, limits=Limits(snapshot=Snapshot("delete", force=True)))
    assert (forced["deleted"], forced["fails"]) == (30, [])


async def test_a_change_by_hand_would_be_undone(resources: Resources, tmp_path: Path) -> None:
    path = dump(tmp_path / "one", json_users(7), json_posts(10))
    await imported(resources, path)
    async with resources.database.writing.begin() as session:
        await update_post(session, (await posts_of(resources.database))["3"].id, {"score": 1000})
    document = await check(resources, path)
    assert document["updated"] == 1
    assert document["authors"] == [{"external_id": "3", "name": "user 3", "posts": 0, "total_score": -1000}]


async def test_the_estimate_says_what_it_goes_by(resources: Resources, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "posts.jsonl", json_posts(10))
    assert (await planned(resources, path))["estimate"]["by"] == "the plan's own pace"


async def test_authors_beyond_those_that_are_counted_are_said(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movements, "MOST_AUTHORS", 3)
    document = await planned(resources, dump(tmp_path / "one", json_users(7), json_posts(20)))
    assert (document["authors_moved"], document["all_authors_counted"]) == (3, False)


FAILS = pytest.raises(TooManyRejectsError)


@pytest.mark.parametrize(
    ("limit", "outcome"), [("1", FAILS), ("2", nullcontext()), ("5%", FAILS), ("7%", nullcontext())]
)
async def test_it_is_said_where_the_import_would_fail_for_its_limit_of_rejects(
    resources: Resources, tmp_path: Path, limit: str, outcome: Any
) -> None:
    rows = json_posts(30)
    rows[3]["created_at"] = rows[14]["created_at"] = "never"
    path = write_jsonl(tmp_path / "posts.jsonl", rows)
    limits = Limits(RejectLimit(limit))
    fails = (await planned(resources, path, limits=limits))["fails"]
    assert bool(fails) == (outcome is FAILS)
    assert not fails or fails[0].startswith("2 of ")
    with outcome:
        await imported(resources, path, limits=limits)
