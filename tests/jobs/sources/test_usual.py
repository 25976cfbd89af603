"""Records that are nearly as usual: reading them quickly must give what judging each alone gives."""

from __future__ import annotations

import json
from html import escape
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.columns import COLUMNS
from jobs.sources.reading import blocks, one_by_one, source_of
from jobs.sources.stackexchange import KEPT
from jobs.sources.window import Window
from tests.jobs.sources.sources import layout, rules_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from jobs.sources.record import Entity, Format, Item
    from jobs.sources.window import Frame

IDS = ("1", "t3_abc", "a-b", " 7 ", "", " ", "é", "\N{ARABIC-INDIC DIGIT THREE}", "x" * 64, "x" * 65)
BROKEN_TEXTS = ("\0", "a\0b", "\ud800", "a\ufffd", "\\u0000", "\t", "a\tb", "\t~~~~~~~", "a\r\nb", "a<b/>")
TEXTS = (
    "",
    "a",
    " a ",
    '<a> & "b"\n\'',
    "🍺" * 32,
    *(c * n for c in "aé🍺" for n in (32, 33, 255, 256, 1001)),
)
DATES = (
    "2020-01-01T00:00:00.123",
    "2020-01-01T00:00:00+00:00",
    "2020-01-01T00:00:00Z",
    "2020-01-01t00:00:00z",
    "2020-01-01 00:00:00.123456789+05:30",
    "2020-01-01T23:59:60Z",
    "2020-01-01T24:00:00",
    " 2020-01-01 ",
    "0001-01-01T00:00:00",
    "0001-01-02T00:00:00+01:00",
    "9999-12-31T00:00:00Z",
    "9999-12-30T23:59:59-01:00",
    "2020-02-30",
    "2020-W01-1",
    "20200131",
    "2020",
    "1263338070.5",
    "-1",
    "",
)
NUMBERS = ("7", "-7", "+7", "7.0", "7.5", " 7 ", "1e3", "2147483647", "2147483648", "-2147483649", "٣", "")
TAGS = ("<a><b>", "<a><b><a>", "|a|b|", "a|b", "<>", " <a> ", f"<{'x' * 100}>", f"<{'x' * 101}>", "<a >< b>")
NO_TEXTS: tuple[Any, ...] = (None, True, False, 0, -1, 7, 2**31, -(2**31), 2**64, 10**70, 1.0, 1.5, 1e300)
NO_TEXTS += ([], {}, ["a", 5], {"a": 1})
WRITTEN: dict[str, tuple[str, ...]] = {
    "created_at": DATES,
    "score": NUMBERS,
    "reputation": NUMBERS,
    "tags": TAGS,
} | dict.fromkeys(("external_id", "author_external_id", "parent_external_id"), IDS)
TAG_LISTS = st.lists(st.sampled_from(("a", "b", " a", "", "\0", "x" * 100, "x" * 101, "é", None)), max_size=4)


FIRST: dict[Format, bytes] = {"jsonl": b"{}\n", "stackexchange": b"<row/>\n"}


def values_of(name: str) -> SearchStrategy[Any]:
    """Give mostly what belongs into a field, and now and then what does not."""
    usual = st.sampled_from(WRITTEN.get(name, TEXTS))
    return st.one_of(usual, usual, usual, st.sampled_from(BROKEN_TEXTS), st.text(max_size=3))


SOUND: dict[Entity, dict[str, Any]] = {
    "users": {"external_id": "1"},
    "posts": {"external_id": "1", "created_at": DATES[0]},
    "tags": {"name": "a"},
}


def objects(entity: Entity) -> SearchStrategy[dict[str, Any]]:
    """Give objects of which most could be loaded but for one field."""
    names = [*COLUMNS[entity], "site", "Mood", "offset", "raw", "unknown"]
    of_json = {name: values_of(name) | st.sampled_from(NO_TEXTS) for name in names}
    if "tags" in of_json:
        of_json["tags"] |= TAG_LISTS
    pairs = st.lists(st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), of_json[name])))
    return pairs.map(lambda odd: SOUND[entity] | dict(odd))


def line(fields: dict[str, Any], end: str, *, ascii_only: bool) -> bytes:
    return (json.dumps(fields, ensure_ascii=ascii_only) + end).encode(errors="surrogatepass")


def check_equal(content: bytes, format_: Format, entity: Entity, chunk_bytes: int) -> None:
    """Read behind a first record, as that one is left to the judge, when nothing is in view yet."""
    how = layout(format_, entity)
    content = FIRST[format_] + content
    expected = list(one_by_one(Window(BytesIO(content), 0), how))
    found = list(chain.from_iterable(blocks(Window(BytesIO(content), 0, chunk_bytes), how)))
    assert found == expected
    assert list(map(repr, found)) == list(map(repr, expected))  # 1, 1.0 and True are equal


ENDS = st.sampled_from(("\n", "\n", "\r\n", " \n\n", "\n \r\n"))


@pytest.mark.parametrize("entity", COLUMNS)
@settings(max_examples=150)
@given(data=st.data(), chunk_bytes=st.sampled_from((1, 100, 100_000)))
def test_nearly_usual_lines_are_judged_alike(entity: Entity, data: st.DataObject, chunk_bytes: int) -> None:
    lines = st.tuples(objects(entity), ENDS, st.booleans())
    several = data.draw(st.lists(lines, min_size=1, max_size=5))
    content = b"".join([line(fields, end, ascii_only=only) for fields, end, only in several])
    check_equal(content, "jsonl", entity, chunk_bytes)


@pytest.mark.parametrize("entity", COLUMNS)
def test_each_value_of_each_field_is_judged_alike(entity: Entity) -> None:
    lists: tuple[list[Any], ...] = (
        ["a"],
        [" a"],
        [""],
        [],
        ["a", "a "],
        ["x" * 100],
        ["x" * 101],
        ["\0"],
        ["a", None],
        ["\ud800"],
    )
    content = [
        line(SOUND[entity] | {name: value}, "\n", ascii_only=True)
        for name in (*COLUMNS[entity], "site", "Mood", "offset")
        for value in (*WRITTEN.get(name, TEXTS), *BROKEN_TEXTS, *NO_TEXTS, *lists)
    ]
    check_equal(b"".join(content), "jsonl", entity, 100_000)
    for alone in content:  # so that nothing unusual is near
        check_equal(alone, "jsonl", entity, 100_000)


@given(value=st.sampled_from((b"1.0", b"1e0", b"-0", b"-0.0", b"1E2", b"01", b"NaN", b"9007199254740993.0")))
@example(b'"\\u0031"')
@example(b'2, "external_id": 3')
@example(b'{"a": "\xff"}')
@example(b'"\\ud83c\\udf7a"')
def test_notations_of_values_are_judged_alike(value: bytes) -> None:
    for name in (*COLUMNS["posts"], "site"):
        fields = {"external_id": b"1", "created_at": b"0"} | {name: value}
        pairs = [b'"%b": %b' % (key.encode(), written) for key, written in fields.items()]
        check_equal(b"{" + b", ".join(pairs) + b"}\n", "jsonl", "posts", 100_000)


KINDS = ("1", "2", "16", "9" * 27, "9" * 28, "9" * 32, "")
SOUND_ROWS: dict[Entity, dict[str, str]] = {
    "users": {"Id": "1"},
    "posts": {"Id": "1", "CreationDate": DATES[0]},
    "tags": {"TagName": "a"},
}


def attributes(entity: Entity) -> dict[str, tuple[str, ...]]:
    """Give what is written into each attribute, of those that are not kept too."""
    written = {attribute: WRITTEN.get(name, TEXTS) for attribute, name in KEPT[entity].items()}
    if entity == "posts":
        written["PostTypeId"] = KINDS
    return {name: (*values, *BROKEN_TEXTS) for name, values in (written | {"Mood": TEXTS, "Id": IDS}).items()}


def rows(entity: Entity) -> SearchStrategy[bytes]:
    written = attributes(entity)
    pairs = st.lists(
        st.sampled_from(sorted(written)).flatmap(
            lambda name: st.tuples(st.just(name), st.sampled_from(written[name]) | st.text(max_size=3))
        )
    )
    ends = st.sampled_from(("\n", "\r\n", ""))
    return st.builds(_row, pairs.map(lambda odd: SOUND_ROWS[entity] | dict(odd)), st.sampled_from(HOW), ends)


@pytest.mark.parametrize("entity", COLUMNS)
def test_each_value_of_each_attribute_is_judged_alike(entity: Entity) -> None:
    for how in HOW:
        content = [
            _row(SOUND_ROWS[entity] | {name: value}, how, "\r\n")
            for name, values in attributes(entity).items()
            for value in values
        ]
        for row in content:
            check_equal(row + _row(SOUND_ROWS[entity], how, "\n"), "stackexchange", entity, 100_000)
        check_equal(b"".join(content), "stackexchange", entity, 100_000)


def quoted(value: str) -> str:
    return escape(value).replace("\n", "&#xA;")


def referred(value: str) -> str:
    return "".join(f"&#x{ord(character):X};" for character in value)


def bare(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;")


HOW = (quoted, referred, bare)


def _row(fields: dict[str, str], how: Any, end: str) -> bytes:
    written = " ".join(f'{name}="{how(value)}"' for name, value in fields.items())
    return f"  <row {written} />{end}".encode(errors="surrogatepass")


@pytest.mark.parametrize("entity", COLUMNS)
@settings(max_examples=150)
@given(data=st.data(), chunk_bytes=st.sampled_from((1, 100, 100_000)))
def test_nearly_usual_rows_are_judged_alike(entity: Entity, data: st.DataObject, chunk_bytes: int) -> None:
    content = b"".join(data.draw(st.lists(rows(entity), min_size=1, max_size=5)))
    check_equal(content, "stackexchange", entity, chunk_bytes)


def no_judge(frame: Frame) -> Item:
    raise AssertionError(frame)


@pytest.mark.parametrize(
    "fields",
    [
        {"site": "x", "external_id": 7, "author_external_id": "a-b", "parent_external_id": 8},
        {"created_at": "2020-01-01T00:00:00+02:00", "score": "-3", "kind": ""},
        {"created_at": 1263338070.5, "tags": ["b", " a", "b", ""], "title": None},
        {"content": "é\n", "tags": "a|b", "author_name": "🍺", "score": None},
    ],
)
def test_what_many_files_have_needs_no_judge(fields: dict[str, Any]) -> None:
    content = line({"external_id": "1", "created_at": "2020-01-01"} | fields, "\n", ascii_only=True)
    window, how = Window(BytesIO(content), 0), layout("jsonl")
    window.grow()
    found = source_of(how).quick(window, how, no_judge)
    assert rules_of(found) == [str(fields.get("external_id", 1))]
    check_equal(content, "jsonl", "posts", 100_000)
