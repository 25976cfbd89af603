"""What a mapping may say, and how one that cannot be meant is refused."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from jobs.columns import COLUMNS
from jobs.import_requests import ImportDump, ImportPosts, ImportUsers
from jobs.mapping import FieldMapping
from jobs.mapping_file import read_mapping
from jobs.sources.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path

POSTS = 'external_id = "id"\ncreated_at = "created"\n'


def mapping(toml: str) -> FieldMapping:
    return FieldMapping.model_validate(tomllib.loads(toml))


def test_each_of_our_fields_can_be_mapped() -> None:
    ours = {name for columns in COLUMNS.values() for name in columns}
    assert set(FieldMapping.model_fields) == ours | {"author", "file"}


def test_a_mapping_travels_inside_of_a_request_as_it_was_written() -> None:
    said = mapping(
        POSTS
        + 'content = ["body", "text"]\nkind = { const = "toot" }\ntags = { path = "t", separator = "," }\n'
        'author.external_id = "account.id"\n[file]\ndelimiter = "~"\nnull = ["null"]\n'
    )
    document = ImportPosts(url="/a", site="s", mapping=said).document()
    assert document["mapping"] == {
        "external_id": "id",
        "created_at": "created",
        "content": ["body", "text"],
        "kind": {"const": "toot"},
        "tags": {"path": "t", "separator": ","},
        "author": {"external_id": "account.id"},
        "file": {"delimiter": "~", "null": ["null"]},
    }
    assert ImportPosts.model_validate(document).mapping == said


def test_without_a_mapping_a_request_is_what_it_was() -> None:
    assert ImportDump(urls=("/a",), site="s").document() == {"urls": ["/a"], "site": "s"}


@pytest.mark.parametrize(
    ("toml", "entity"),
    [
        (POSTS, None),
        (POSTS + 'content = "body"', "posts"),
        (POSTS + 'author.external_id = "by"', "posts"),
        (POSTS + 'name = "login"', "users"),
        ('external_id = "id"', "users"),
        ('name = "tag"', "tags"),
        (POSTS + '[file]\nentity = "posts"', "posts"),
    ],
)
def test_the_entity_is_told_by_the_fields_that_only_it_has(toml: str, entity: str | None) -> None:
    assert mapping(toml).entity == entity


def test_a_request_takes_only_a_mapping_of_its_entity() -> None:
    with pytest.raises(ValidationError, match="mapping: users have no field content"):
        ImportUsers(url="/a", site="s", mapping=mapping(POSTS + 'content = "body"'))
    with pytest.raises(ValidationError, match="mapping: its file holds posts, not users"):
        ImportUsers(url="/a", site="s", mapping=mapping(POSTS + '[file]\nentity = "posts"'))


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("external_id = ", ["is not TOML", "end of document"]),
        ("a." * 5_000 + "b = 1", ["no key of a mapping"]),
        (POSTS + 'contents = "body"', ["'contents'", "content, score"]),
        ('content = "body"', ["posts need external_id, created_at"]),
        ('external_id = "id"\ncontent = "body"', ["posts need created_at", 'created_at = "path"']),
        ('external_id = "id"\nemail = "m"\ncontent = "body"', ["no field content"]),
        ("", ["users need external_id"]),
        ('external_id = ""', ["external_id: '' is no path", "account.id"]),
        ("external_id = '\"'", ["is no path"]),
        ('external_id = "a..b"', ["is no path"]),
        ("external_id = []", ["external_id: "]),
        ("external_id = 5", ["external_id is neither a path nor a table"]),
        ('external_id = { path = "id", date = "%Y-%m-%d" }', ["'external_id.date'"]),
        ('external_id = { path = "id", const = "1" }', ["external_id: says either path or const"]),
        ("external_id = {}", ["external_id: says either path or const"]),
        (POSTS + "kind = { const = true }", ["kind.const: "]),
        (
            'external_id = "a"\ncreated_at = { path = "b", date = "%H:%M" }',
            ["created_at.date", "says no day"],
        ),
        ('external_id = "a"\ncreated_at = { path = "b", date = "%d%d" }', ["says no day"]),
        ('external_id = "a"\ncreated_at = { path = "b", date = "%Q" }', ["says no day"]),
        ('external_id = "a"\ncreated_at = { path = "b", date = "days" }', ["milliseconds"]),
        ('external_id = "a"\ncreated_at = { path = "b", zone = "Rome" }', ["no time zone", "Europe/Rome"]),
        ('external_id = "a"\ncreated_at = { path = "b", zone = "../x" }', ["no time zone"]),
        (POSTS + 'tags = { path = "t", separator = "" }', ["tags.separator"]),
        (POSTS + 'author.name = "n"', ["author.external_id: field required"]),
        (POSTS + 'author = { external_id = "a", name = "b" }\nauthor_name = "c"', ["leave one of them out"]),
        (POSTS + 'author_external_id = "c"\nauthor.external_id = "d"', ["leave one of them out"]),
        (POSTS + '[file]\nentity = "people"', ["file.entity", "'users', 'posts' or 'tags'"]),
        (POSTS + '[file]\ncontent = "body"', ["'file.content'", "above [file]"]),
        (POSTS + '[file]\ndelimiter = "||"', ["file.delimiter", "no delimiter"]),
        (POSTS + "[file]\ndelimiter = '\"'", ["no delimiter"]),
        (POSTS + '[file]\nformat = "jsonl"\nheader = ["a"]', ["not for jsonl"]),
        (POSTS + '[file]\nformat = "xml"', ["file.format"]),
        (POSTS + '[file]\nnull = "null"', ["file.null"]),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_one_line_with_its_file_and_key(
    tmp_path: Path, toml: str, says: list[str]
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(toml)
    with pytest.raises(MappingError) as caught:
        read_mapping(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    for words in says:
        assert words in message


def test_a_mapping_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no such file"):
        read_mapping(tmp_path / "m.toml")
    with pytest.raises(MappingError, match="is a directory"):
        read_mapping(tmp_path)
    (tmp_path / "m.toml").write_bytes(b"\xff")
    with pytest.raises(MappingError, match="no UTF-8"):
        read_mapping(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_bytes(b" " * 2_000_000)
    with pytest.raises(MappingError, match="larger than"):
        read_mapping(tmp_path / "m.toml")


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_what_the_ledger_cannot_keep_is_refused(value: str) -> None:
    said: dict[str, Any] = {"external_id": "id", "name": {"path": "n", "null": [value]}}
    with pytest.raises(ValidationError):
        FieldMapping.model_validate(said)
