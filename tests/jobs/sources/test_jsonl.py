from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from jobs.sources.record import PostRecord, TagRecord
from tests.jobs.sources.sources import bad, items_of, layout, post, rules_of, user

POSTS = layout("jsonl", "posts")
USERS = layout("jsonl", "users")


def line(**fields: object) -> bytes:
    return json.dumps({"external_id": 1, "created_at": "2020-01-01", **fields}).encode() + b"\n"


def test_a_post_is_read_with_the_columns_of_our_export() -> None:
    data = (
        '{"site": "beer", "external_id": "7", "author_external_id": 5, "author_name": "Zoë",'
        ' "parent_external_id": null, "kind": "question", "title": "Why?", "content": "<p>\\n</p>",'
        ' "score": "-3", "created_at": "2020-01-01T12:00:00+02:00", "tags": ["a", "b", "a"]}\r\n'
    ).encode()
    assert post(data, POSTS) == PostRecord(
        offset=0,
        end=len(data),
        raw=data,
        external_id="7",
        created_at=datetime(2020, 1, 1, 10, tzinfo=UTC),
        author_external_id="5",
        author_name="Zoë",
        kind="question",
        title="Why?",
        content="<p>\n</p>",
        score=-3,
        tags=("a", "b"),
    )


def test_a_user_and_a_tag_are_read_likewise() -> None:
    found = user(line(name="", email="x@example.org", reputation=2**62, created_at=1263338070.0), USERS)
    assert (found.name, found.email, found.reputation) == ("", "x@example.org", 2**62)
    assert found.created_at == datetime(2010, 1, 12, 23, 14, 30, tzinfo=UTC)
    (tag,) = items_of(b'{"name": "c++"}', layout("jsonl", "tags"))
    assert isinstance(tag, TagRecord)
    assert tag.name == "c++"


@pytest.mark.parametrize(
    "written", ["9007199254740993", '"9007199254740993"', "123456789012345678901234567890"]
)
def test_ids_beyond_the_precision_of_floats_stay_exact(written: str) -> None:
    data = b'{"external_id": %b, "created_at": 0}' % written.encode()
    assert post(data, POSTS).external_id == written.strip('"')


def test_surrogate_pairs_are_joined_and_lone_ones_replaced_and_counted() -> None:
    found = post(line(content="\\ud83c\\udf7a").replace(b"\\\\", b"\\"), POSTS)
    assert (found.content, found.repairs) == ("🍺", 0)
    found = post(line(content="a\\ud83c b\\udf7a", tags=["\\ud83c"]).replace(b"\\\\", b"\\"), POSTS)
    assert (found.content, found.tags, found.repairs) == ("a\ufffd b\ufffd", ("\ufffd",), 3)


def test_nul_is_replaced_and_counted_except_in_ids() -> None:
    found = post(line(content="a\0b\x01", title="\0"), POSTS)
    assert (found.content, found.title, found.repairs) == ("a\ufffdb\x01", "\ufffd", 2)
    assert bad(line(external_id="1\0"), POSTS).rule == "character"


def test_an_escaped_backslash_before_u_is_no_escape() -> None:
    found = post(line(content="\\u0000 \\ud800"), POSTS)
    assert (found.content, found.repairs) == ("\\u0000 \\ud800", 0)


def test_unknown_fields_are_named() -> None:
    assert post(line(site="beer", mood="calm", views=3), POSTS).unknown == ("mood", "views")


def test_names_of_unknown_fields_can_be_kept_too() -> None:
    found = post(line(**{"\udead": 1, "\0" * 1000: 2}), POSTS)
    assert found.unknown == ("\ufffd", "\ufffd" * 255)


def test_blank_lines_and_a_byte_order_mark_are_passed_over() -> None:
    data = b"\xef\xbb\xbf" + line() + b"\r\n \n\n" + line(external_id=2).rstrip()
    assert rules_of(items_of(data, layout("jsonl", "posts", start=3))) == ["1", "2"]


@pytest.mark.parametrize(
    "broken",
    [
        b"[1]",
        b"null",
        b'"text"',
        b"5",
        b'{"external_id": 2',
        b"{}}",
        b'{"external_id": NaN}',
        b"[" * 100000,
        b'{"external_id": "\x01"}',
        b'{"external_id": "\\udead", "score": NaN}',
        b'{"external_id": 1e999}',
    ],
)
def test_a_line_that_holds_no_object_costs_itself_only(broken: bytes) -> None:
    items = items_of(line() + broken + b"\n" + line(external_id=3), POSTS)
    assert rules_of(items) == ["1", "syntax", "3"]
    assert broken.startswith(items[1].raw.rstrip())


def test_a_last_line_that_is_cut_off_is_a_bad_record() -> None:
    assert rules_of(items_of(line() + line(external_id=2)[:-9], POSTS)) == ["1", "syntax"]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"external_id": None}, "missing"),
        ({"external_id": " "}, "missing"),
        ({"created_at": None}, "missing"),
        ({"created_at": "soon"}, "date"),
        ({"score": 2**31}, "range"),
        ({"score": 1.5}, "number"),
        ({"external_id": 1.5}, "type"),
        ({"content": 5}, "type"),
        ({"tags": [["a"]]}, "type"),
        ({"kind": "k" * 33}, "length"),
        ({"author_name": "n" * 256}, "length"),
        ({"author_external_id": "1" * 65}, "length"),
    ],
)
def test_an_object_that_breaks_a_rule_is_rejected_by_name(fields: dict[str, object], rule: str) -> None:
    assert bad(line(**fields), POSTS).rule == rule
