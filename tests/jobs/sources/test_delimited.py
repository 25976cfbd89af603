from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import BytesIO, StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.sources.grammar import grammar, split
from jobs.sources.reading import one_by_one, read
from jobs.sources.record import PostRecord, TagRecord
from jobs.sources.window import Window
from tests.jobs.sources.sources import bad, items_of, layout, post, rules_of, user

POSTS = layout("csv", "posts")  # external_id,created_at,title,content,tags


def test_a_post_is_read_by_the_columns_of_the_header() -> None:
    data = '7,2020-01-01T12:00:00Z,"Why, ""this""?","<p>\r\nZoë\n</p>",a|b|a\r\n'.encode()
    assert post(data, POSTS) == PostRecord(
        offset=0,
        end=len(data),
        raw=data,
        external_id="7",
        created_at=datetime(2020, 1, 1, 12, tzinfo=UTC),
        title='Why, "this"?',
        content="<p>\r\nZoë\n</p>",
        tags=("a", "b"),
    )


def test_a_user_and_a_tag_are_read_likewise() -> None:
    columns = ("site", "reputation", "external_id", "created_at", "name", "mood")
    found = user(b"beer,12.0,9007199254740993,1263338070.0,,calm\n", layout("csv", "users", columns))
    assert (found.external_id, found.reputation, found.name) == ("9007199254740993", 12, None)
    assert (found.created_at, found.unknown) == (datetime(2010, 1, 12, 23, 14, 30, tzinfo=UTC), ("mood",))
    (tag,) = items_of(b'"a ""tag"""', layout("csv", "tags", ("name",)))
    assert isinstance(tag, TagRecord)
    assert tag.name == 'a "tag"'


def test_an_empty_field_is_null_quoted_or_not() -> None:
    found = post(b'1,2020-01-01,,"",\n', POSTS)
    assert (found.title, found.content, found.tags) == (None, None, ())


@pytest.mark.parametrize("tags", [b"<c#><.net>", b"|c#|.net|", b"c#|.net"])
def test_tags_have_three_notations(tags: bytes) -> None:
    assert post(b"1,2020-01-01,,," + tags, POSTS).tags == ("c#", ".net")


def test_offsets_are_right_with_line_breaks_inside_quotes() -> None:
    data = b'1,2020-01-01,"a\nb","\r\n",\r\n\r\n2,2020-01-01,,"x\n""\ny",\n3,2020-01-01,,,'
    items = items_of(data, POSTS)
    assert rules_of(items) == ["1", "2", "3"]
    assert [data[item.offset : item.end] for item in items] == [item.raw for item in items]
    assert b"".join(item.raw for item in items) == data.replace(b"\r\n\r\n", b"\r\n")


def test_a_quote_inside_an_unquoted_field_is_literal() -> None:
    found = post(b'1,2020-01-01,6" nail,say "hi",\n', POSTS)
    assert (found.title, found.content) == ('6" nail', 'say "hi"')


def test_nul_is_replaced_and_counted() -> None:
    found = post(b"1,2020-01-01,,a\0b\0,\n", POSTS)
    assert (found.content, found.repairs) == ("a\ufffdb\ufffd", 2)


@pytest.mark.parametrize(
    "broken", [b"2,2020-01-01,t,c", b"2", b"2,2020-01-01,t,c,a,b", b'2,"2020-01-01\n",t']
)
def test_a_row_with_another_number_of_fields_costs_itself_only(broken: bytes) -> None:
    items = items_of(b"1,2020-01-01,,,\r\n" + broken + b"\r\n3,2020-01-01,,,\r\n", POSTS)
    assert rules_of(items) == ["1", "columns", "3"]
    assert items[1].raw == broken + b"\r\n"


def test_a_line_of_more_fields_than_any_table_has_costs_itself_only() -> None:
    items = items_of(b"1,2020-01-01,,,\n" + b"," * 5000 + b"\n3,2020-01-01,,,\n", POSTS)
    assert rules_of(items) == ["1", "syntax", "3"]


@pytest.mark.parametrize("broken", [b'2,"never closed', b'2,"closed"then more', b'2,2020-01-01,"x" ,,'])
def test_a_row_with_a_misplaced_quote_costs_its_line_only(broken: bytes) -> None:
    items = items_of(b"1,2020-01-01,,,\n" + broken + b"\n3,2020-01-01,,,\n", POSTS)
    assert rules_of(items) == ["1", "syntax", "3"]
    assert items[1].raw == broken


def test_a_quote_left_open_does_not_swallow_rows_that_have_quotes() -> None:
    data = b'1,2020-01-01,"open,,\n2,2020-01-01,"fine",,\n3,2020-01-01,,"fine\ntoo",\n'
    assert rules_of(items_of(data, POSTS)) == ["syntax", "2", "3"]


@pytest.mark.parametrize("cut", [b"2,2020-01", b'2,2020-01-01,"cut', b"2,2020-01-01,t,c"])
def test_a_last_row_that_is_cut_off_is_a_bad_record(cut: bytes) -> None:
    items = items_of(b"1,2020-01-01,,,\n" + cut, POSTS)
    assert rules_of(items)[0] == "1"
    assert rules_of(items)[1] in ("columns", "syntax")
    assert len(items) == 2


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (b",2020-01-01,,,", "missing"),
        (b"1,,,,", "missing"),
        (b"1,6/24/2016 3:48,,,", "date"),
        (b"\xff,,,,", "encoding"),
    ],
)
def test_a_row_that_breaks_a_rule_is_rejected_by_name(row: bytes, rule: str) -> None:
    assert bad(row, POSTS).rule == rule


FIELDS = st.text(st.sampled_from(['"', ",", "\n", "\r", "a", "é", " "]), max_size=8)


@given(st.lists(FIELDS, min_size=2, max_size=5))
def test_what_the_standard_library_writes_is_split_as_it_was(fields: list[str]) -> None:
    written = StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(fields)
    assert split(written.getvalue()) == fields


@given(
    st.text(st.sampled_from('",a\r\n'), max_size=12).filter(
        lambda line: grammar(",").row.fullmatch(line.encode())
    )
)
@example('"a""b",c,""\n')
@example('a"b,"c"')
def test_any_row_is_split_as_its_pattern_says(line: str) -> None:
    bare = line.removesuffix("\n").removesuffix("\r")
    found = grammar(",").delimiter_and_field.findall(f",{bare}")
    assert split(line) == [quoted.replace('""', '"') if quoted else plain for quoted, plain in found]


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=6))
def test_rows_the_standard_library_writes_are_framed_as_they_were(rows: list[tuple[str, str]]) -> None:
    written = StringIO(newline="")
    for number, (title, content) in enumerate(rows):
        csv.writer(written).writerow((number, "2020-01-01", title, content, ""))
    items = items_of(written.getvalue().encode(), POSTS)
    assert rules_of(items) == [str(number) for number in range(len(rows))]
    found = [(item.title or "", item.content or "") for item in items if isinstance(item, PostRecord)]
    assert found == rows


@pytest.mark.parametrize("fields", [b"x" * (33 * 2**20) + b',"a\nb"', b'"' + b"x\n" * (17 * 2**20) + b'"'])
def test_how_a_huge_row_is_passed_over_does_not_depend_on_what_was_in_view(fields: bytes) -> None:
    before, row, after = b"1,2020-01-01,,,\n" * 9, b"2,2020-01-01,%b,,\n" % fields, b"3,2020-01-01,,,\n"
    data = before + row + after
    whole = items_of(data, POSTS)
    assert rules_of(whole)[-1] == "3"
    assert list(read(BytesIO(data), POSTS, len(before))) == whole[9:]
    for chunk_bytes in (1_000_000, 40_000_000):
        assert list(one_by_one(Window(BytesIO(data), 0, chunk_bytes), POSTS)) == whole
