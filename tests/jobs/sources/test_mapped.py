"""Records of other shapes, read by a mapping."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from jobs.sources.ranges import boundaries
from jobs.sources.record import BadRecord, PostRecord, UserRecord
from tests.jobs.sources.mappings import AUTHOR, POSTS, csv_items, items, laid_out
from tests.jobs.sources.sources import rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.record import Entity, Item

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


def json_items(folder: Path, toml: str, *records: dict[str, Any], entity: Entity = "posts") -> list[Item]:
    lines = [
        json.dumps({"id": number, "created": "2020-01-01"} | each) for number, each in enumerate(records)
    ]
    return items(laid_out(folder / "some.jsonl", "\n".join(lines).encode(), toml, entity))


def json_post(folder: Path, toml: str, **record: Any) -> PostRecord:
    (item,) = json_items(folder, POSTS + toml, record)
    assert isinstance(item, PostRecord), item
    return item


def test_fields_are_renamed_found_below_others_and_constant(tmp_path: Path) -> None:
    found = json_post(tmp_path, 'content = "body.text"\nscore = "n"', body={"text": "hi all"}, n=3)
    assert (found.external_id, found.kind, found.content, found.score) == ("0", "toot", "hi all", 3)
    assert found.created_at == NOON.replace(hour=0)


def test_of_several_paths_the_first_with_a_value_counts(tmp_path: Path) -> None:
    toml = 'content = ["spoiler.text", "body"]'
    assert json_post(tmp_path, toml, spoiler={"text": "a"}, body="b").content == "a"
    assert json_post(tmp_path, toml, spoiler={"text": None}, body="b").content == "b"
    assert json_post(tmp_path, toml, spoiler="none", body="b").content == "b"
    assert json_post(tmp_path, toml).content is None


def test_a_name_with_a_dot_is_quoted_and_stands_for_itself_in_a_table(tmp_path: Path) -> None:
    found = json_post(tmp_path, """content = '"a.b".c'""", **{"a.b": {"c": "x"}})
    assert found.content == "x"
    (item,) = csv_items(tmp_path, POSTS + 'content = "a.b"', "id,created,a.b\n1,2020-01-01,x\n")
    assert isinstance(item, PostRecord)
    assert item.content == "x"


def test_null_words_are_those_of_the_file_and_of_the_field(tmp_path: Path) -> None:
    toml = POSTS + 'title = { path = "t", null = ["-"] }\ncontent = "c"\n[file]\nnull = ["None", "\\\\N"]\n'
    rows = "id,created,t,c\n1,2020-01-01,-,-\n2,2020-01-01,None,\\N\n"
    first, second = csv_items(tmp_path, toml, rows)
    assert isinstance(first, PostRecord)
    assert isinstance(second, PostRecord)
    assert (first.title, first.content) == (None, "-")
    assert (second.title, second.content) == (None, None)


@pytest.mark.parametrize(
    ("how", "written"),
    [
        ('date = "%m/%d/%Y %H:%M"', "1/1/2020 12:00"),
        ('date = "%m/%d/%Y %H:%M", zone = "Europe/Rome"', "1/1/2020 13:00"),
        ('date = "%a %b %d %H:%M:%S %z %Y"', "Wed Jan 01 13:00:00 +0100 2020"),
        ('date = "%a %b %d %H:%M:%S %z %Y", zone = "Asia/Tokyo"', "Wed Jan 01 13:00:00 +0100 2020"),
        ('date = "%Y%m%d%H"', 2020010112),
        ('date = "milliseconds"', 1577880000000),
        ('date = "milliseconds"', "1577880000000.0"),
        ('date = "microseconds"', 1577880000000000),
        ('date = "seconds"', "1577880000"),
        ('zone = "Europe/Rome"', "2020-01-01T13:00:00"),
        ('zone = "Europe/Rome"', "2020-01-01T12:00:00Z"),
        ('zone = "Europe/Rome"', "1577880000.0"),
        ('zone = "Europe/Rome"', 1577880000),
        ('null = ["x"]', "2020-01-01 12:00"),
    ],
)
def test_times_are_read_as_the_mapping_says(tmp_path: Path, how: str, written: object) -> None:
    toml = f'external_id = "id"\ncreated_at = {{ path = "created", {how} }}'
    (found,) = json_items(tmp_path, toml, {"created": written})
    assert isinstance(found, PostRecord)
    assert (found.created_at, found.created_at.utcoffset()) == (NOON, NOON.utcoffset())


@pytest.mark.parametrize(
    ("how", "written", "rule"),
    [
        ('date = "%m/%d/%Y"', "13/13/2020", "date"),
        ('date = "%m/%d/%Y"', True, "date"),
        ('date = "%m/%d/%Y"', [1], "date"),
        ('date = "%Y%m%d"', 10**30, "date"),
        ('date = "milliseconds"', "soon", "date"),
        ('date = "milliseconds"', 1e300, "date"),
        ('date = "milliseconds"', {"a": 1}, "date"),
        ('zone = "Asia/Tokyo"', "0001-01-01", "date"),
        ('zone = "Asia/Tokyo"', "yesterday", "date"),
        ('zone = "Asia/Tokyo"', None, "missing"),
        ('date = "%m/%d/%Y"', " ", "missing"),
    ],
)
def test_a_time_that_is_not_so_written_costs_its_record(
    tmp_path: Path, how: str, written: object, rule: str
) -> None:
    toml = f'external_id = "id"\ncreated_at = {{ path = "created", {how} }}'
    layout = laid_out(tmp_path / "a.jsonl", b'{"id": 1, "created": "x"}\n', toml)
    layout.path.write_text(json.dumps({"id": 1, "created": written}))
    assert rules_of(items(layout)) == [rule]


@pytest.mark.parametrize(
    ("how", "written"),
    [
        ('separator = ", "', "a, b, , b"),
        ('separator = ";"', ["a", "b"]),
        ('name = "name"', [{"name": "a", "url": "u"}, {"name": "b"}, {"name": None}, {}]),
        ('name = "tag.text"', [{"tag": {"text": "a"}}, "b"]),
        ('null = ["x"]', "a|b"),
    ],
)
def test_tags_are_a_list_objects_or_separated_text(tmp_path: Path, how: str, written: object) -> None:
    found = json_post(tmp_path, f'tags = {{ path = "tags", {how} }}', tags=written)
    assert found.tags == ("a", "b")


def test_a_post_that_carries_its_author_makes_both(tmp_path: Path) -> None:
    toml = AUTHOR + 'author.created_at = { path = "account.since", date = "%d.%m.%Y" }'
    found = json_post(tmp_path, toml, account={"id": "7", "name": "Zoë", "since": "1.1.2020"})
    assert (found.author_external_id, found.author_name) == ("7", "Zoë")
    assert found.author == UserRecord(
        offset=0,
        end=found.end,
        raw=found.raw,
        external_id="7",
        name="Zoë",
        created_at=NOON.replace(hour=0),
        unsaid=("email", "reputation"),
    )


@pytest.mark.parametrize("account", [None, {}, {"id": None, "name": None}, {"id": " "}])
def test_a_post_whose_author_is_gone_has_none(tmp_path: Path, account: object) -> None:
    found = json_post(tmp_path, AUTHOR, account=account)
    assert (found.author_external_id, found.author) == (None, None)


@pytest.mark.parametrize(
    ("account", "rule", "reason"),
    [
        ({"id": 7, "name": "x" * 256}, "length", "author_name has 256 characters, 255 are allowed"),
        ({"id": 7, "mail": "x" * 321}, "length", "author.email has 321 characters, 320 are allowed"),
        ("zoe", "type", "author.external_id: no object with 'id' but 'zoe'"),
    ],
)
def test_what_is_wrong_with_an_author_is_a_reject_of_the_post(
    tmp_path: Path, account: object, rule: str, reason: str
) -> None:
    toml = POSTS + AUTHOR + 'author.email = "account.mail"'
    good, bad = json_items(tmp_path, toml, {"account": {"id": 1}}, {"account": account})
    assert isinstance(good, PostRecord)
    assert isinstance(bad, BadRecord)
    assert (bad.rule, bad.reason) == (rule, reason)


def test_fields_that_the_mapping_does_not_name_are_named_with_their_path(tmp_path: Path) -> None:
    account = {"id": 7, "name": "z", "note": "n", "fields": {"a": 1}}
    found = json_post(tmp_path, AUTHOR + 'title = "card"', account=account, card=None, media=[], url="u")
    assert found.unknown == ("account.note", "account.fields", "media", "url")


def test_impossible_characters_are_replaced_and_counted_in_what_is_read(tmp_path: Path) -> None:
    found = json_post(
        tmp_path,
        'content = "c.t"\ntags = { path = "g", name = "n" }',
        c={"t": "a\0"},
        g=[{"n": "\0"}],
        x="\0",
    )
    assert (found.content, found.tags, found.repairs) == ("a\ufffd", ("\ufffd",), 2)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_reading_goes_on_at_any_record_and_ranges_give_the_whole(tmp_path: Path, ending: str) -> None:
    lines = [json.dumps({"id": n, "created": "2020-01-01", "body": "x" * n}) + "\n" for n in range(300)]
    content = "".join([*lines, "{broken\n", *lines]).encode()
    written = gzip.compress(content) if ending else content
    layout = laid_out(tmp_path / f"a.jsonl{ending}", written, POSTS + 'content = "body"')
    whole = items(layout)
    assert (len(whole), rules_of(whole)[300]) == (601, "syntax")
    for place in (0, 299, 300, 600):
        assert items(layout, whole[place].end) == whole[place + 1 :]
    parts = [
        items(replace(layout, stop=stop), begin)
        for begin, stop in pairwise([*boundaries(layout, 5), None])
        if begin is not None
    ]
    assert list(chain(*parts)) == whole
