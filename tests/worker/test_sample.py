from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from jobs.sources.opening import find_files, inspect, read
from jobs.sources.record import BadRecord, PostRecord
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.opening import Item
    from worker.sample import SampleCounts

FILES = ("Users.xml", "Posts.xml", "Tags.xml")


def items_of(folder: Path) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for entity, path in find_files(folder).items():
        layout = inspect(path, format="stackexchange", entity=entity)
        with path.open("rb") as stream:
            found[entity] = list(read(stream, layout, layout.start))
    return found


def sizes(counts: SampleCounts) -> dict[str, tuple[int, int]]:
    each = {"users": counts.users, "posts": counts.posts, "tags": counts.tags}
    return {entity: (written.rows, written.rejected) for entity, written in each.items()}


@pytest.mark.parametrize("dirty", [False, True])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, *, dirty: bool) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / folder, users=30, posts=100, seed=seed, dirty=dirty)
    for name in ("Users.xml", "Posts.xml"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
        assert first != (tmp_path / "c" / name).read_bytes()


@pytest.mark.parametrize("dirty", [False, True])
@pytest.mark.parametrize(("users", "posts"), [(1, 0), (1, 1), (2, 3), (40, 500)])
def test_as_many_rows_are_written_as_are_said_to_be(
    tmp_path: Path, *, dirty: bool, users: int, posts: int
) -> None:
    counts = write_sample(tmp_path, users=users, posts=posts, seed=3, dirty=dirty)
    found = {
        entity: (len(items), sum(isinstance(item, BadRecord) for item in items))
        for entity, items in items_of(tmp_path).items()
    }
    assert found == sizes(counts)
    assert counts.users.rows - counts.users.rejected == users
    assert counts.posts.rows - counts.posts.rejected == posts
    assert (counts.posts.rejected > 0) == dirty


def test_a_dirty_sample_breaks_each_rule_and_needs_each_repair(tmp_path: Path) -> None:
    write_sample(tmp_path, users=100, posts=1000, seed=4, dirty=True)
    posts = items_of(tmp_path)["posts"]
    bad = [item.rule for item in posts if isinstance(item, BadRecord)]
    good = [item for item in posts if isinstance(item, PostRecord)]
    assert sorted(bad) == ["date", "encoding", "missing", "range", "syntax"]
    assert any(post.repairs for post in good)
    assert any(post.unknown for post in good)
    assert any(post.content == "" for post in good)
    assert re.search(rb' Tags="\|', (tmp_path / "Posts.xml").read_bytes())
    assert re.search(rb' Tags="(&lt;.*?&gt;)\1', (tmp_path / "Posts.xml").read_bytes())


def test_a_clean_sample_has_the_shape_of_a_dump(tmp_path: Path) -> None:
    write_sample(tmp_path, users=100, posts=1000, seed=5, dirty=False)
    for name in FILES:
        content = (tmp_path / name).read_bytes()
        root = name.removesuffix(".xml").lower().encode()
        assert content.startswith(
            b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<%b>\r\n  <row ' % root
        )
        assert content.endswith(b"\r\n</%b>" % root)
        assert content.count(b"\n") == content.count(b"\r\n") == len(ET.fromstring(content)) + 2


def test_posts_refer_to_each_other_and_to_users_as_real_ones_do(tmp_path: Path) -> None:
    write_sample(tmp_path, users=100, posts=1000, seed=6, dirty=False)
    users, posts, tags = ([row.attrib for row in ET.parse(tmp_path / name).getroot()] for name in FILES)
    assert users[0]["Id"] == "-1"
    assert [post["CreationDate"] for post in posts] == sorted(post["CreationDate"] for post in posts)
    by_id = {post["Id"]: post for post in posts}
    for post in posts:
        assert post.get("OwnerUserId") in {user["Id"] for user in users} or "OwnerDisplayName" in post
        if "ParentId" in post:
            assert by_id[post["ParentId"]]["PostTypeId"] == "1"
            assert int(post["ParentId"]) < int(post["Id"])
        if "AcceptedAnswerId" in post:
            assert by_id[post["AcceptedAnswerId"]]["ParentId"] == post["Id"]
            assert int(post["AcceptedAnswerId"]) > int(post["Id"])
    uses = [tag for post in posts for tag in re.findall("<(.*?)>", post.get("Tags", ""))]
    assert {tag["TagName"]: int(tag["Count"]) for tag in tags} == {
        tag["TagName"]: uses.count(tag["TagName"]) for tag in tags
    }
    assert any(int(post["Score"]) < 0 for post in posts)
    assert any("OwnerUserId" not in post for post in posts)


def test_a_sample_replaces_the_one_before_it(tmp_path: Path) -> None:
    write_sample(tmp_path, users=50, posts=50, seed=7, dirty=False)
    counts = write_sample(tmp_path, users=2, posts=1, seed=7, dirty=False)
    assert {entity: len(items) for entity, items in items_of(tmp_path).items()} == {
        "users": 2,
        "posts": 1,
        "tags": counts.tags.rows,
    }
