"""CSV and Parquet of other shapes, read by a mapping; and files that a mapping does not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from jobs.sources import errors
from jobs.sources.opening import inspect
from jobs.sources.reading import item_of
from jobs.sources.record import BadRecord, PostRecord
from tests.jobs.sources.mappings import AUTHOR, POSTS, csv_items, items, laid_out, mapping
from tests.jobs.sources.sources import rules_of

if TYPE_CHECKING:
    from pathlib import Path


NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


def test_a_csv_file_without_a_header_and_with_tildes(tmp_path: Path) -> None:
    toml = (
        'external_id = "id"\ncontent = "text"\ncreated_at = { path = "at", date = "%d/%m/%Y %H:%M" }\n'
        'author.external_id = "by"\n[file]\ndelimiter = "~"\nheader = ["id", "by", "at", "text"]\n'
        'null = ["null"]'
    )
    rows = '\ufeff1~ann~31/12/2019 10:00~"a ~ ""b""\nc"\r\n2~null~01/01/2020 12:00~x,y\r\n3~too few\r\n'
    layout = laid_out(tmp_path / "data.txt", rows.encode(), toml)
    assert (layout.format, layout.entity, layout.start) == ("csv", "posts", 3)
    first, second, third = items(layout)
    assert isinstance(first, PostRecord)
    assert (first.content, first.author_external_id) == ('a ~ "b"\nc', "ann")
    assert isinstance(second, PostRecord)
    assert (second.content, second.author, second.created_at) == ("x,y", None, NOON)
    assert isinstance(third, BadRecord)
    assert third.rule == "columns"


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", ".", "^", "]", "\\", " ", "a", "-"])
def test_any_delimiter_is_itself(tmp_path: Path, delimiter: str) -> None:
    fields = ["1", "20200101", f'"x{delimiter}""y"""', ""]
    form = f'[file]\ndelimiter = {json.dumps(delimiter)}\nheader = ["id", "at", "text", "none"]\n'
    toml = f'external_id = "id"\ncontent = "text"\ncreated_at = {{ path = "at", date = "%Y%m%d" }}\n{form}'
    (item,) = items(laid_out(tmp_path / "a.csv", delimiter.join(fields).encode(), toml))
    assert isinstance(item, PostRecord), item
    assert item.content == f'x{delimiter}"y"'


def test_columns_that_the_mapping_does_not_name_are_unknown(tmp_path: Path) -> None:
    (item,) = csv_items(tmp_path, POSTS, "id,created,mood,site\n1,2020-01-01,calm,x\n")
    assert isinstance(item, PostRecord)
    assert item.unknown == ("mood", "site")


def test_parquet_with_objects_and_lists_of_objects(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [1, 2, 3],
            "created": pa.array([NOON.replace(tzinfo=None)] * 3, pa.timestamp("ns")),
            "account": [{"id": 7, "name": "Zoë"}, None, {"id": 8, "name": None}],
            "tags": [[{"name": "a"}, {"name": "b"}], None, []],
            "mood": ["calm"] * 3,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    toml = (
        'external_id = "id"\ncreated_at = { path = "created", zone = "Europe/Rome" }\n'
        'tags = { path = "tags", name = "name" }\n'
    )
    layout = inspect(tmp_path / "a.parquet", format="auto", entity="auto", mapping=mapping(toml + AUTHOR))
    found = [item for item in items(layout) if isinstance(item, PostRecord)]
    assert [(post.author_external_id, post.author_name, post.tags) for post in found] == [
        ("7", "Zoë", ("a", "b")),
        (None, None, ()),
        ("8", None, ()),
    ]
    assert {post.created_at for post in found} == {NOON.replace(hour=11)}
    assert {post.unknown for post in found} == {("mood",)}
    assert json.loads(found[0].raw)["account"] == {"id": 7, "name": "Zoë"}


@pytest.mark.parametrize(
    ("name", "content", "toml", "says"),
    [
        ("a.csv", b"id,made\n1,2\n", POSTS, ["no 'created'", "created_at", "id, made"]),
        ("a.csv", b"id,created,account\n1,2,3\n", POSTS + AUTHOR, ["no 'account.id'"]),
        ("a.csv", b"id,created,id\n1,2,3\n", POSTS, ["'id' twice"]),
        ("a.jsonl", b'{"uid": 1, "created": 2}\n', POSTS, ["none of its first records has 'id'"]),
        ("a.jsonl", b"[1]", POSTS, ["one JSON array"]),
        ("a.jsonl", b'{"id": 1}\n', 'name = "tag"', ["is mapped to posts", "no field name"]),
        ("a.xml", b"<posts>\n</posts>", POSTS, ["without a mapping"]),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused(
    tmp_path: Path, name: str, content: bytes, toml: str, says: list[str]
) -> None:
    with pytest.raises(errors.SourceError) as caught:
        laid_out(tmp_path / name, content, toml)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    for words in says:
        assert words in str(caught.value)


def test_what_only_csv_has_is_refused_of_another_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1, "created": 2}\n')
    said = mapping(POSTS + '[file]\ndelimiter = ";"')
    with pytest.raises(errors.MappingError, match="for CSV"):
        inspect(tmp_path / "a.jsonl", format="jsonl", entity="posts", mapping=said)


@pytest.mark.parametrize("toml", [None, 'external_id = "id"\ncreated_at = "at"\ncontent = "body.text"'])
def test_an_item_can_be_made_again_of_what_is_kept_of_it(tmp_path: Path, toml: str | None) -> None:
    columns = {
        "id": [1, None, 3],
        "at": [NOON] * 3,
        "body": [{"text": "a"}, {"text": "b"}, {"text": "c" * 9}],
    }
    ours = {"external_id": [1, None, 3], "created_at": [NOON] * 3, "content": ["a", "b", "c"]}
    pq.write_table(pa.table(columns if toml else ours), tmp_path / "posts.parquet")
    said = mapping(toml) if toml else None
    layout = inspect(tmp_path / "posts.parquet", format="auto", entity="auto", mapping=said)
    made = items(layout)
    assert [item_of(item.raw, item.offset, item.end, layout) for item in made] == made
    assert rules_of(made) == ["1", "missing", "3"]


def test_a_path_into_a_parquet_column_must_lead_somewhere(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1], "created": [0], "account": [{"id": 1}]}), tmp_path / "a.parquet")
    said = mapping(POSTS + AUTHOR)
    with pytest.raises(errors.MappingError, match=r"no 'account.name'"):
        inspect(tmp_path / "a.parquet", format="auto", entity="auto", mapping=said)


def test_an_entity_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1, "created": 2}\n')
    untold = mapping('external_id = "id"\ncreated_at = "created"')
    with pytest.raises(errors.UnknownEntityError, match="entity into"):
        inspect(tmp_path / "a.jsonl", format="auto", entity="auto", mapping=untold)
    (tmp_path / "a.jsonl").rename(tmp_path / "users.jsonl")
    assert inspect(tmp_path / "users.jsonl", format="auto", entity="auto", mapping=untold).entity == "users"
