from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.errors import InputError
from jobs.sources import errors
from jobs.sources.opening import find_files, inspect, read
from jobs.sources.record import BadRecord
from tests.jobs.sources.sources import rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.opening import Item, Layout

DUMP = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n  %b\r\n</posts>'
ROW = b'<row Id="1" CreationDate="2020-01-01" />'


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def look(path: Path, content: bytes, **asked: str) -> Layout:
    return inspect(written(path, content), **{"format": "auto", "entity": "auto", **asked})  # type: ignore[arg-type]


def items(layout: Layout) -> list[Item]:
    with layout.path.open("rb") as stream:
        return list(read(stream, layout, layout.start))


def refusal(path: Path, content: bytes | None, **asked: str) -> tuple[type[InputError], str]:
    """Give the kind and the message of the error that inspecting such a file ends with."""
    with pytest.raises(InputError) as caught:
        look(path, content, **asked) if content is not None else inspect(path, format="auto", entity="auto")
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert message.count(";") >= 1
    return type(caught.value), message


def test_a_dump_tells_its_entity_by_its_root(tmp_path: Path) -> None:
    layout = look(tmp_path / "whatever.xml", DUMP % ROW)
    assert (layout.format, layout.entity, layout.size) == ("stackexchange", "posts", len(DUMP % ROW))
    assert (DUMP % ROW)[layout.start :].startswith(b"<row")
    assert rules_of(items(layout)) == ["1"]


@pytest.mark.parametrize(
    "prolog",
    [
        b"",
        b"\xef\xbb\xbf",
        b'<?xml version="1.0"?>\n<!-- <users> -->\n',
        b'<!DOCTYPE posts SYSTEM "http://example.org/posts.dtd">\n',
        b'<!DOCTYPE posts [\n<!ELEMENT row EMPTY>\n<!ENTITY lol "<users>]>">\n<!-- it\'s ]> -->\n]>\r\n',
    ],
)
def test_whatever_precedes_the_root_is_passed_over_and_never_loaded(tmp_path: Path, prolog: bytes) -> None:
    layout = look(
        tmp_path / "x.xml",
        prolog + b'<posts xmlns="y">' + ROW.replace(b"/>", b'Body="&lol;" />') + b"</posts >\n",
    )
    assert rules_of(items(layout)) == ["1"]


@pytest.mark.parametrize(
    "content", [b"<posts></posts>", b"<posts/>", b"<posts />\n", b"<posts>\n<!-- none -->\n</posts>"]
)
def test_a_dump_without_rows_is_complete(tmp_path: Path, content: bytes) -> None:
    assert items(look(tmp_path / "Posts.xml", content)) == []


@pytest.mark.parametrize("cut", [b"</posts>", b"posts>", b">"])
def test_a_dump_whose_root_is_not_closed_is_refused_before_a_row_is_read(tmp_path: Path, cut: bytes) -> None:
    content = (DUMP % ROW).removesuffix(cut)
    kind, message = refusal(tmp_path / "Posts.xml", content)
    assert kind is errors.TruncatedDumpError
    assert "</posts>" in message
    assert str(len(content)) in message


def test_an_entity_that_contradicts_the_root_is_refused(tmp_path: Path) -> None:
    kind, message = refusal(tmp_path / "Posts.xml", DUMP % ROW, entity="users")
    assert kind is errors.EntityMismatchError
    assert "--entity posts" in message


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("Votes.xml", b"<votes></votes>", errors.UnknownEntityError),
        ("x.xml", b"just text", errors.UnknownFormatError),
        ("x.xml", b"<?xml", errors.UnknownFormatError),
        ("Posts.xml", b"", errors.EmptyFileError),
        ("posts.csv", b"\xef\xbb\xbf \r\n", errors.EmptyFileError),
        ("Posts.xml", "<posts></posts>".encode("utf-16"), errors.WrongEncodingError),
        ("Posts.xml", "\ufeff<posts></posts>".encode("utf-16-be"), errors.WrongEncodingError),
        ("Posts.xml", "<posts></posts>".encode("utf-32"), errors.WrongEncodingError),
        ("Posts.xml", "<posts></posts>".encode("utf-16-le"), errors.UnknownFormatError),
        ("posts.jsonl", b"\x1f\x8b\x08\x00", errors.BrokenStreamError),
        ("Posts.xml", b"PK\x03\x04", errors.UnknownFormatError),
        ("posts.jsonl", b"\x00\x01\x02\x80" * 500, errors.UnknownFormatError),
        ("posts.csv", b"\x00\x01\x02\x80" * 500, errors.UnknownFormatError),
        ("posts.dat", b"\x00\x01\x02\x80" * 500, errors.UnknownFormatError),
        ("posts.txt", b"some words\n", errors.UnknownFormatError),
        ("posts.jsonl", b'[{"external_id": 1}]', errors.UnknownFormatError),
        ("posts.jsonl", b"external_id,created_at\n", errors.UnknownFormatError),
        ("posts.csv", b"id;body\n1;2\n", errors.UnknownColumnsError),
        ("posts.csv", b"external_id,title\n", errors.UnknownColumnsError),
        ("posts.csv", b"external_id,created_at,title,title\n", errors.UnknownColumnsError),
        ("posts.csv", b"external_id,created_at,\xff\n", errors.WrongEncodingError),
        ("posts.csv", b'external_id,"created_at\n', errors.UnknownFormatError),
        ("data.csv", b"a,b\n1,2\n", errors.UnknownEntityError),
        ("data.jsonl", b'{"a": 1}\n', errors.UnknownEntityError),
    ],
)
def test_what_cannot_be_read_as_asked_is_refused(
    tmp_path: Path, name: str, content: bytes, kind: type[InputError]
) -> None:
    assert refusal(tmp_path / name, content)[0] is kind


def test_an_entity_that_nothing_tells_can_be_named(tmp_path: Path) -> None:
    assert "--entity" in refusal(tmp_path / "data.jsonl", b'{"external_id": 1}\n')[1]
    assert look(tmp_path / "data.jsonl", b'{"external_id": 1}\n', entity="users").entity == "users"


def test_a_format_that_the_file_has_not_is_refused(tmp_path: Path) -> None:
    for format_ in ("jsonl", "csv"):
        assert issubclass(refusal(tmp_path / "Posts.xml", DUMP % ROW, format=format_)[0], InputError)
    assert (
        refusal(tmp_path / "x.csv", b"external_id\n", format="stackexchange")[0] is errors.UnknownFormatError
    )


def test_files_that_are_not_there_or_no_files_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.xml", None)[0] is errors.FileNotReadableError
    assert refusal(tmp_path, None)[0] is errors.FileNotReadableError
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe", None)[0] is errors.FileNotReadableError
    assert refusal(tmp_path / ("long" * 100), None)[0] is errors.FileNotReadableError


def test_a_path_is_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two\\nlines\\x00: ") as caught:
        inspect(tmp_path / "two\nlines\0", format="auto", entity="auto")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "format_", "entity"),
    [
        ("users.jsonl", b'{"external_id": 1}\n', "jsonl", "users"),
        ("beer-POSTS.ndjson", b'{"external_id": 1}\n', "jsonl", "posts"),
        ("a.jsonl", b'\n{"external_id": 1, "content": ""}\n', "jsonl", "posts"),
        ("a.jsonl", b'\xef\xbb\xbfoops\n{"external_id": 1, "email": ""}\n', "jsonl", "users"),
        ("a.jsonl", b'{"name": "x", "count": 5}\n', "jsonl", "tags"),
        ("users-posts.csv", b"external_id,created_at,score\n", "csv", "posts"),
        ("a.csv", b'\xef\xbb\xbf"external_id","name"\r\n', "csv", "users"),
        ("a.txt", b"site,name\n", "csv", "tags"),
        ("a", b'{"external_id": 1, "score": 5}', "jsonl", "posts"),
    ],
)
def test_format_and_entity_are_told_by_name_and_content(
    tmp_path: Path, name: str, content: bytes, format_: str, entity: str
) -> None:
    layout = look(tmp_path / name, content)
    assert (layout.format, layout.entity) == (format_, entity)


def test_a_header_is_no_record(tmp_path: Path) -> None:
    layout = look(tmp_path / "a.csv", b'\xef\xbb\xbf"external_id",created_at , title\r\n1,2020-01-01,t\r\n')
    assert layout.columns == ("external_id", "created_at", "title")
    assert rules_of(items(layout)) == ["1"]


def test_a_folder_gives_its_files_in_the_order_of_loading(tmp_path: Path) -> None:
    for name in ("posts.XML", "Tags.jsonl", "users.csv", "Votes.xml", "posts.xml.bak", "old-posts.xml"):
        written(tmp_path / name, b"x")
    (tmp_path / "users.xml").mkdir()
    assert [(entity, path.name) for entity, path in find_files(tmp_path).items()] == [
        ("users", "users.csv"),
        ("tags", "Tags.jsonl"),
        ("posts", "posts.XML"),
    ]


def test_a_folder_with_two_files_for_an_entity_or_with_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.NoDumpFilesError, match="Users, Tags or Posts"):
        find_files(tmp_path)
    written(tmp_path / "Posts.xml", b"x")
    written(tmp_path / "posts.csv", b"x")
    with pytest.raises(errors.AmbiguousFilesError, match=r"Posts\.xml and posts\.csv"):
        find_files(tmp_path)
    with pytest.raises(errors.FileNotReadableError):
        find_files(tmp_path / "missing")


FRAGMENTS = (
    b"<",
    b">",
    b"<posts>",
    b"</posts>",
    b"<posts/>",
    b"<!DOCTYPE",
    b"[",
    b"]",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"'",
    b'"',
    b'{"name": 1}',
    b"{",
    b"external_id,created_at",
    b"name",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\x00",
    b" ",
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["x", "x.xml", "x.jsonl", "x.csv", "posts.csv", "tags.jsonl"]),
    content=st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=12).map(b"".join),
)
@example(name="x.xml", content=b"<!DOCTYPE" + b"['" * 50)
def test_any_file_is_either_laid_out_or_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes
) -> None:
    message = ""
    try:
        layout = look(tmp_path / name, content)
    except InputError as error:
        message = str(error)
    else:
        assert 0 <= layout.start <= layout.size == len(content)
        assert all(item.offset >= layout.start for item in items(layout) if isinstance(item, BadRecord))
    assert "\n" not in message
