"""What real dumps and exports contain that readers stumble over, in files of the same shape."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from jobs.sources.opening import inspect, opened, read
from jobs.sources.record import BadRecord, PostRecord, UserRecord
from jobs.sources.stackexchange import POST_TYPES
from tests.jobs.sources.mappings import csv_items, items
from tests.jobs.sources.sources import layout, post, rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.layout import Layout
    from jobs.sources.record import Item

XML, JSON, CSV = layout("stackexchange"), layout("jsonl"), layout("csv")


def dump(path: Path, root: str, *rows: str, prolog: str = "") -> list[Item]:
    """Write a dump as the untouched ones are, with a byte order mark and CRLF, and read it."""
    lines = ['\ufeff<?xml version="1.0" encoding="utf-8"?>', *([prolog] if prolog else []), f"<{root}>"]
    path.write_text("\r\n".join([*lines, *(f"  <row {row} />" for row in rows), f"</{root}>"]), newline="")
    how = inspect(path, format="auto", entity="auto")
    with opened(how) as stream:
        return list(read(stream, how, how.start))


def xml_post(written: str) -> PostRecord:
    return post(f'<row Id="1" CreationDate="2020-01-01T00:00:00.000" {written} />'.encode(), XML)


def test_the_community_user_comes_first_and_its_id_is_negative(tmp_path: Path) -> None:
    rows = (
        'Id="-1" Reputation="1" CreationDate="2014-01-21T17:45:53.587" DisplayName="Community" Age="-972"',
        'Id="5" Reputation="118222" CreationDate="2014-01-22T00:00:00.000" EmailHash="x" AccountId="7"',
    )
    first, second = dump(tmp_path / "Users.xml", "users", *rows)
    assert isinstance(first, UserRecord)
    assert (first.external_id, first.name, first.unknown) == ("-1", "Community", ())
    assert isinstance(second, UserRecord)
    assert (second.name, second.reputation) == (None, 118222)


def test_a_post_of_a_deleted_owner_keeps_the_name_alone() -> None:
    found = xml_post('OwnerDisplayName="user22" Body=""')
    assert (found.author_external_id, found.author_name, found.content) == (None, "user22", "")


@pytest.mark.parametrize("number", ["0", *POST_TYPES, "11", "16", "18", "-1", "x"])
def test_any_type_of_post_is_loaded(number: str) -> None:
    assert xml_post(f'PostTypeId="{number}"').kind == POST_TYPES.get(number, f"type-{number}")


def test_fabricated_ids_and_those_beyond_floats_are_ids() -> None:
    for number in ("1000000001", "1000000010", str(2**53 + 1), str(2**63), "9" * 64):
        line = f'<row Id="{number}" CreationDate="2020-01-01" />'.encode()
        assert post(line, XML).external_id == number


def test_tags_repeat_differ_in_case_and_hold_any_sign() -> None:
    for written in ("&lt;c#&gt;&lt;.net&gt;&lt;c++&gt;&lt;c#&gt;&lt;C#&gt;", "|c#|.net|c++|c#|C#|"):
        assert xml_post(f'Tags="{written}"').tags == ("c#", ".net", "c++", "C#")


def test_references_that_xml_forbids_cost_a_character_and_no_row() -> None:
    found = xml_post('Body="a&#x0E;b&#x00;c&#xD83C;&#xDF7A;d&#xD83C;e" Title="&#150;"')
    assert found.content == "a\x0eb\ufffdc🍺d\ufffde"
    assert (found.title, found.repairs) == ("\x96", 2)


def test_an_external_dtd_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "posts.dtd")  # whoever opens it waits for ever
    prolog = f'<!DOCTYPE posts SYSTEM "file://{tmp_path}/posts.dtd">'
    rows = ('Id="1" CreationDate="2020-01-01" Body="&xxe;"',)
    (found,) = dump(tmp_path / "Posts.xml", "posts", *rows, prolog=prolog)
    assert isinstance(found, PostRecord)
    assert (found.content, found.repairs) == ("&xxe;", 1)


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    bomb = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    secret = f'<!ENTITY s SYSTEM "file://{tmp_path}/secret">'
    prolog = f'<!DOCTYPE posts [ <!ENTITY l0 "lol"> {bomb} {secret} ]>'
    rows = ('Id="1" CreationDate="2020-01-01" Body="&l29;&s;"',)
    (found,) = dump(tmp_path / "Posts.xml", "posts", *rows, prolog=prolog)
    assert isinstance(found, PostRecord)
    assert (found.content, found.repairs) == ("&l29;&s;", 2)


@pytest.mark.parametrize(
    ("how", "row"),
    [
        (XML, b'<row Id="%d" CreationDate="2020-01-01" Body="%b" />\r\n'),
        (JSON, b'{"external_id": %d, "created_at": "2020-01-01", "content": "%b"}\r\n'),
        (CSV, b'%d,2020-01-01,,"%b",\r\n'),
    ],
    ids=["xml", "jsonl", "csv"],
)
def test_of_mixed_encodings_each_record_in_another_than_utf_8_is_a_reject(how: Layout, row: bytes) -> None:
    texts = (
        "naïve".encode(),
        "naïve".encode("cp1252"),
        "naïve".encode("utf-16-be"),
        "\x81".encode("latin-1"),
    )
    data = b"".join(row % (number, text) for number, text in enumerate(texts))
    with_nul = row % (4, b"\0")
    found = rules_of(list(read(BytesIO(data + with_nul), how, 0)))
    assert found[:2] + found[3:4] == ["0", "encoding", "encoding"]


def test_control_characters_are_kept() -> None:
    kept = "\x01\x08\x0c\x1b\x1f\x7f"
    assert post(f'1,2020-01-01,,"{kept}",\n'.encode(), CSV).content == kept
    escaped = b'{"external_id": 1, "created_at": 0, "content": "\\u0001\\b\\f\\u001b\\u001f\\u007f"}'
    assert post(escaped, JSON).content == kept


def test_one_column_has_three_types_and_dates_end_in_point_zero(tmp_path: Path) -> None:
    toml = 'external_id = "id"\ncreated_at = ["edited", "created_utc"]\n[file]\nnull = ["False", "True"]'
    rows = (
        "id,created_utc,edited\n1,1263338070.0,False\n2,1263338070.0,1263338099.0\n3,1263338070,True\n4,,\n"
    )
    found = csv_items(tmp_path, toml, rows)
    seconds = [item.created_at for item in found if isinstance(item, PostRecord)]
    assert seconds == [datetime(2010, 1, 12, 23, 14, second, tzinfo=UTC) for second in (30, 59, 30)]
    assert rules_of(found)[3] == "missing"


def test_rows_end_with_crlf_while_lines_in_fields_end_with_anything(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_bytes(b'external_id,created_at,content\r\n1,0,"a\nb\r\nc\rd"\r\n2,0,\r\n3,0,"cut')
    how = inspect(path, format="auto", entity="auto")
    first, second, cut = items(how)
    assert isinstance(first, PostRecord)
    assert first.content == "a\nb\r\nc\rd"
    assert isinstance(second, PostRecord)
    assert isinstance(cut, BadRecord)
    assert (cut.rule, cut.raw) == ("syntax", b'3,0,"cut')
