"""What holds for every source, whatever the bytes."""

from __future__ import annotations

from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.sources.markup import BETWEEN_ROWS
from jobs.sources.reading import SOURCES, blocks, item_of, one_by_one, read
from jobs.sources.record import BadRecord
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES, Window
from tests.jobs.sources.sources import items_of, layout, layouts, rules_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from jobs.sources.layout import Layout
    from jobs.sources.record import Format, Item
    from jobs.sources.window import Frame

FRAGMENTS: dict[Format, tuple[bytes, ...]] = {
    "stackexchange": (
        b'  <row Id="1" CreationDate="2020-01-01" Body="a&lt;b" />\r\n',
        b"<row Id='2' CreationDate='2020-01-01' Body='say \"hi\"'/>",
        b'<row Id="3" CreationDate="2020-01-01" Body="/>\n>" />',
        b"<row ",
        b"<row/>",
        b' Id="4"',
        b' Body="',
        b'"',
        b"'",
        b"/>",
        b">",
        b"<",
        b"&#x0;",
        b"&#xD83D;&#xDE00;",
        b"&",
        b"<!--",
        b"-->",
        b"<?x?>",
        b"</posts>",
        b"\xef\xbb\xbf",
    ),
    "jsonl": (
        b'{"external_id": 1, "created_at": "2020-01-01"}\n',
        b'{"external_id": "2", "created_at": 5, "content": "\\ud83d \\u0000"}\r\n',
        b'{"external_id": 3, "created_at": 1e99, "tags": ["a", "\\udead"]}',
        b'{"external_id": 4, "created_at": "2020-01-01", "author": {"id": 7}, "tags": [{"name": "a"}]}\n',
        b'"author": ',
        b"{",
        b"}",
        b"[",
        b'"',
        b"\\u",
        b"dead",
        b"null",
        b"1e999",
        b"NaN",
    ),
    "csv": (
        b'1,2020-01-01,"a ""title""","two\r\nlines",a|b\r\n',
        b"2,2020-01-01,t,c,\n",
        b'"',
        b'""',
        b",",
        b'x"y',
        b",,,,",
    ),
}
COMMON = (b"\n", b"\r\n", b"\r", b" ", b"\0", b"\xff", b"\xc3", "é".encode())


def inputs(format_: Format) -> SearchStrategy[bytes]:
    pieces = st.one_of(st.sampled_from(FRAGMENTS[format_] + COMMON), st.binary(max_size=6))
    return st.lists(pieces, max_size=14).map(b"".join)


def check_any(format_: Format, data: bytes) -> None:
    for how in layouts(format_):
        check_covered(format_, data, how)


def check_covered(format_: Format, data: bytes, how: Layout) -> None:
    items = items_of(data, how)
    position = 0
    for number, item in enumerate(items):
        assert position <= item.offset < item.end <= len(data)
        assert nothing_is_lost(format_, data[position : item.offset])
        assert data[item.offset : item.end].startswith(item.raw)
        assert list(read(BytesIO(data), how, item.end)) == items[number + 1 :]
        position = item.end
    assert nothing_is_lost(format_, data[position:])


def nothing_is_lost(format_: Format, between: bytes) -> bool:
    if format_ == "stackexchange":
        return BETWEEN_ROWS.fullmatch(between) is not None
    return not between.strip()


@given(inputs("stackexchange"))
@example(b'<row Id="1" Body="a\n<row Id="2" />')
@example(b"<!-- \n<row/> -->")
def test_any_bytes_of_a_dump_become_items_that_cover_them_and_can_be_resumed(data: bytes) -> None:
    check_any("stackexchange", data)


@given(inputs("jsonl"))
def test_any_bytes_of_json_lines_become_items_that_cover_them_and_can_be_resumed(data: bytes) -> None:
    check_any("jsonl", data)


@given(inputs("csv"))
@example(b'1,"never closed\n2,b\n')
def test_any_bytes_of_csv_become_items_that_cover_them_and_can_be_resumed(data: bytes) -> None:
    check_any("csv", data)


@pytest.mark.parametrize("format_", FRAGMENTS)
@given(data=st.data())
def test_the_bytes_of_an_item_alone_are_judged_as_they_were_in_the_file(
    format_: Format, data: st.DataObject
) -> None:
    how = layout(format_)
    given_bytes = data.draw(inputs(format_))
    for item in items_of(given_bytes, how):
        alone = item_of(given_bytes[item.offset : item.end], item.offset, item.end, how)
        if isinstance(item, BadRecord):
            assert isinstance(alone, BadRecord)
            assert (alone.offset, alone.end) == (item.offset, item.end)
        else:
            assert alone == item


@pytest.mark.parametrize("format_", FRAGMENTS)
@given(data=st.data(), chunk_bytes=st.integers(1, 40))
def test_records_do_not_depend_on_how_the_stream_is_cut(
    format_: Format, data: st.DataObject, chunk_bytes: int
) -> None:
    content = data.draw(inputs(format_))
    how = layout(format_)
    frames = next(source.frames for source in SOURCES if source.format == format_)
    in_pieces = list(frames(Window(BytesIO(content), 0, chunk_bytes), how))
    assert in_pieces == list(frames(Window(BytesIO(content), 0), how))


# What nearly all records look like; a test breaks them in a few places.
USUAL: dict[Format, bytes] = {
    "stackexchange": (
        b'  <row Id="1" PostTypeId="1" CreationDate="2020-01-01T00:00:00.000" Score="-5" Title=""'
        b' Tags="|a|b|" Body="&lt;a&gt; &amp;&#xA;b" />\r\n'
        b'  <row Id="2" CreationDate="2020-01-01" Mood="x" Body="\xc3\xa9" />\r\n'
    ),
    "jsonl": (
        b'{"site": "x", "external_id": "1", "created_at": "2020-01-01T00:00:00Z", "tags": ["a", "b"],'
        b' "content": "a\\u00e9\\n\xc3\xa9", "parent_external_id": 12, "title": null}\n'
        b'{"external_id": 2, "created_at": 5, "score": 7}\n'
    ),
    "csv": (b'1,2020-01-01,"a ""title""","<p>\r\na, b</p>",a|b\r\n2,2020-01-01,,"say ""hi"", \xc3\xa9",\r\n'),
}


def no_judge(frame: Frame) -> Item:
    raise AssertionError(frame)


@pytest.mark.parametrize("format_", USUAL)
def test_usual_records_are_read_many_at_a_time(format_: Format) -> None:
    window, how = Window(BytesIO(USUAL[format_]), 0), layout(format_)
    window.grow()
    quick = next(source.quick for source in SOURCES if source.format == format_)
    assert rules_of(quick(window, how, no_judge)) == ["1", "2"]
    assert window.unread == 0


@pytest.mark.parametrize("format_", USUAL)
@settings(max_examples=200)
@given(data=st.data(), chunk_bytes=st.integers(1, 2000))
def test_reading_many_at_a_time_gives_the_very_items_of_reading_one_by_one(
    format_: Format, data: st.DataObject, chunk_bytes: int
) -> None:
    content, how = data.draw(broken(format_) | inputs(format_)), data.draw(st.sampled_from(layouts(format_)))
    expected = list(one_by_one(Window(BytesIO(content), 0), how))
    assert list(chain.from_iterable(blocks(Window(BytesIO(content), 0, chunk_bytes), how))) == expected
    assert list(read(BytesIO(content), how, 0)) == expected


@st.composite
def broken(draw: st.DrawFn, format_: Format) -> bytes:
    content = bytearray(USUAL[format_] * draw(st.integers(1, 3)))
    pieces = st.sampled_from(FRAGMENTS[format_] + COMMON + (b"",)) | st.binary(max_size=3)
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(content)))
        content[begin : begin + draw(st.integers(0, 4))] = draw(pieces)
    return bytes(content)


ROWS: dict[Format, tuple[bytes, bytes]] = {
    "stackexchange": (b'<row Id="%d" CreationDate="2020-01-01" Body="', b'" />\r\n'),
    "jsonl": (b'{"external_id": %d, "created_at": "2020-01-01", "content": "', b'"}\n'),
    "csv": (b'%d,2020-01-01,,"', b'",\r\n'),
}


def row(format_: Format, number: int, body: bytes) -> bytes:
    begin, end = ROWS[format_]
    return begin % number + body + end


@pytest.mark.parametrize("format_", ROWS)
def test_a_body_of_three_million_bytes_is_loaded(format_: Format) -> None:
    (item,) = items_of(row(format_, 1, b"x" * 3_000_000), layout(format_))
    assert not isinstance(item, BadRecord)
    assert len(item.raw) == RAW_BYTES


@pytest.mark.parametrize("filling", [b"x", b"line\n", b"a, b\n"])
@pytest.mark.parametrize("format_", ROWS)
def test_a_record_beyond_the_bound_is_rejected_by_its_beginning_and_reading_goes_on(
    format_: Format, filling: bytes
) -> None:
    if format_ == "jsonl":
        filling = filling.replace(b"\n", b"\\n")
    huge = row(format_, 2, filling * (MAX_RECORD_BYTES // len(filling) + 1))
    data = row(format_, 1, b"") + huge + row(format_, 3, b"")
    items = items_of(data, layout(format_))
    assert rules_of(items) == ["1", "size", "3"]
    assert len(items[1].raw) == RAW_BYTES
    assert list(read(BytesIO(data), layout(format_), items[1].end)) == items[2:]


@pytest.mark.parametrize("format_", ROWS)
def test_a_rejected_record_keeps_its_own_bytes_up_to_a_bound(format_: Format) -> None:
    data = row(format_, 1, b"").replace(b"2020-01-01", b"2020-02-30")
    (item,) = items_of(data, layout(format_))
    assert item.raw == data.rstrip() or item.raw == data
    assert (item.offset, item.end >= len(data.rstrip())) == (0, True)


@pytest.mark.parametrize("format_", ROWS)
def test_bytes_that_are_not_utf_8_cost_one_record(format_: Format) -> None:
    data = row(format_, 1, b"") + row(format_, 2, b"\xff") + row(format_, 3, b"")
    assert rules_of(items_of(data, layout(format_))) == ["1", "encoding", "3"]


def test_an_endless_open_quote_is_read_in_bounded_memory_and_costs_one_line() -> None:
    data = b'1,2020-01-01,"never closed,,\n' + b"2,2020-01-01,a,%b,\n" % (b"b" * 9000) * (
        MAX_RECORD_BYTES // 9000 + 99
    )
    items = items_of(data, layout("csv"))
    assert rules_of(items)[:3] == ["syntax", "2", "2"]
    assert rules_of(items).count("syntax") == 1
