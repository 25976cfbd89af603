"""Mappings as a user gives them: proposed, given to an import, refused in one line."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from jobs.mapping import FieldMapping
from tests.conftest import every_database
from tests.worker.test_cli import assert_one_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine


def statuses(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "created_at": "2022-11-01T10:00:00.000Z",
            "content": f"status {number}\x7f \U0001f37a",
            "account": {"id": number % 3, "display_name": f"name {number % 3}"},
            "mood.of": {"the day": "calm"},
        }
        for number in range(count)
    ]


@pytest.fixture
def toots(tmp_path: Path) -> Path:
    path = tmp_path / "toots.jsonl"
    path.write_text("".join(json.dumps(status) + "\n" for status in statuses(20)))
    return path


@every_database
def test_what_is_proposed_can_be_imported_at_once(headrace: CommandLine, toots: Path, tmp_path: Path) -> None:
    proposed = headrace("map", toots)
    assert proposed.code == 0, proposed.err
    assert "20 of them can be loaded" in proposed.out
    assert 'external_id = "id"  # by its name, like 0' in proposed.out
    assert "# \"mood.of\".the day: text, like 'calm'" in proposed.out
    (tmp_path / "m.toml").write_text(proposed.out)
    done = headrace("import", toots, "--site", "s", "--map", tmp_path / "m.toml", "--with-worker", "--json")
    assert done.code == 0, done.err
    assert done.json["entities"]["posts"]["inserted"] == 20
    assert done.json["entities"]["posts"]["unknown_fields"] == {"mood.of": 20}
    users = done.json["entities"]["users"]
    assert (users["read"], users["inserted"], users["skipped"]) == (20, 3, 17)
    [author, *_] = headrace("authors", "--site", "s", "--json").json
    assert (author["name"], author["post_count"]) == ("name 0", 7)


def test_the_proposal_is_also_a_document(headrace: CommandLine, toots: Path) -> None:
    found = headrace("map", toots, "--json").json
    assert FieldMapping.model_validate(found["mapping"]).entity == "posts"
    assert (found["records"], found["loadable"], found["missing"]) == (20, 20, [])
    toml = tomllib.loads(headrace("map", toots).out)
    assert FieldMapping.model_validate(toml) == FieldMapping.model_validate(found["mapping"])


def test_a_proposal_that_lacks_a_field_says_which(headrace: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,x\n2,y\n")
    done = headrace("map", tmp_path / "a.csv")
    assert_one_line(done, "created_at", "a.csv")
    assert '# created_at = "path"' in done.out
    assert headrace("map", tmp_path / "a.csv", "--json").json["mapping"] is None


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('contents = "body"', "'contents' is no key of a mapping"),
        ('content = "content"', "posts need external_id, created_at"),
        ("content =", "is not TOML"),
        ('external_id = "id"\ncreated_at = { path = "created_at", date = "%H" }', "says no day"),
        ('external_id = "uid"\ncreated_at = "created_at"\ncontent = "content"', "'uid'"),
        ('external_id = "id"\ncreated_at = "created_at"', "entity"),
        (None, "no such file"),
    ],
)
def test_a_wrong_mapping_is_one_line_and_asks_for_nothing(
    headrace: CommandLine, toots: Path, tmp_path: Path, toml: str | None, says: str
) -> None:
    if toml is not None:
        (tmp_path / "m.toml").write_text(toml)
    done = headrace("import", toots, "--site", "s", "--map", tmp_path / "m.toml")
    assert_one_line(done, str(tmp_path), says)
    assert headrace("runs", "--json").json == []


def test_a_folder_takes_no_mapping(headrace: CommandLine, toots: Path, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('external_id = "id"\ncreated_at = "created_at"\ncontent = "content"')
    folder = tmp_path / "folder"
    folder.mkdir()
    toots.rename(folder / "Posts.jsonl")
    done = headrace("import", folder, "--site", "s", "--map", tmp_path / "m.toml")
    assert_one_line(done, str(folder), "is a folder", "name a file")


def test_several_files_of_one_shape_are_one_run(headrace: CommandLine, toots: Path, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('external_id = "id"\ncreated_at = "created_at"\ncontent = "content"')
    more = tmp_path / "more.ndjson"
    more.write_text(toots.read_text().replace('{"id": ', '{"id": 9'))
    paths = (toots, more)
    done = headrace("import", *paths, "--site", "s", "--map", tmp_path / "m.toml", "--with-worker", "--json")
    assert done.code == 0, done.err
    assert (done.json["job"], done.json["inserted"]) == ("import_dump", 40)
