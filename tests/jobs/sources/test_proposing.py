"""Mappings that are proposed from a file's first records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.sources import errors
from jobs.sources.observed import observed
from jobs.sources.opening import inspect
from jobs.sources.proposing import propose

if TYPE_CHECKING:
    from pathlib import Path


def said(path: Path, content: str, **asked: Any) -> dict[str, Any]:
    """Write a file and give what is proposed for it; the file can be opened with it."""
    path.write_text(content)
    proposal = propose(path, **asked)
    inspect(path, format="auto", entity="auto", mapping=proposal.mapping)
    return proposal.mapping.model_dump(mode="json", exclude_defaults=True)


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_statuses_with_nested_accounts(tmp_path: Path) -> None:
    account = {"id": "7", "display_name": "Zoë", "created_at": "2020-01-01", "email": "z@example.org"}
    tags = [{"url": "u", "name": "a"}]
    record = {"id": 1, "created_at": "2022-11-01T10:00:00.000Z", "account": account, "tags": tags}
    found = said(tmp_path / "toots.jsonl", lines(*(record | {"id": n, "content": "x"} for n in range(9))))
    assert found == {
        "external_id": "id",
        "content": "content",
        "created_at": "created_at",
        "tags": {"path": "tags", "name": "name"},
        "author": {
            "external_id": "account.id",
            "name": "account.display_name",
            "email": "account.email",
            "created_at": "account.created_at",
        },
        "file": {"entity": "posts", "format": "jsonl"},
    }


def test_a_table_with_american_dates_and_an_author_by_name(tmp_path: Path) -> None:
    rows = (
        "id,title,num_points,author,created_at,kw\n1,T,3,ann,8/24/2016 11:52,\n2,U,4,bob,1/26/2016 19:30,\n"
    )
    assert said(tmp_path / "hn.csv", rows) == {
        "external_id": "id",
        "title": "title",
        "score": "num_points",
        "created_at": {"path": "created_at", "date": "%m/%d/%Y %H:%M"},
        "author": {"external_id": "author", "name": "author"},
        "file": {"entity": "posts", "format": "csv"},
    }


def test_a_table_without_a_header_is_known_by_its_values(tmp_path: Path) -> None:
    text = "text of more than sixty characters, so that it must be what was written"
    found = said(tmp_path / "a.txt", f"1~null~31/12/2015 10:00~{text}\n2~x~1/12/2015 11:00~{text}\n")
    assert found == {
        "external_id": "column_1",
        "content": "column_4",
        "created_at": {"path": "column_3", "date": "%d/%m/%Y %H:%M"},
        "file": {
            "entity": "posts",
            "format": "csv",
            "delimiter": "~",
            "header": ["column_1", "column_2", "column_3", "column_4"],
            "null": ["null"],
        },
    }


@pytest.mark.parametrize(
    ("times", "date"),
    [
        (["2020-01-01T12:00:00Z"], None),
        (["1263338070.0"], None),
        ([1263338070], None),
        ([1263338070000], "milliseconds"),
        ([1263338070000000], "microseconds"),
        (["20200131"], "%Y%m%d"),
        (["Wed Jan 01 13:00:00 +0100 2020"], "%a %b %d %H:%M:%S %z %Y"),
        (["31/01/2020"], "%d/%m/%Y"),
        (["01/31/2020"], "%m/%d/%Y"),
        (["2020-01-01 12:00:00 UTC"], "%Y-%m-%d %H:%M:%S UTC"),
        (["01/31/2020"] * 19 + ["soon"], "%m/%d/%Y"),
    ],
)
def test_the_form_of_times_is_found(tmp_path: Path, times: list[Any], date: str | None) -> None:
    records = [{"id": n, "time": time, "text": "t"} for n, time in enumerate(times)]
    found = said(tmp_path / "a.jsonl", lines(*records))["created_at"]
    assert found == ({"path": "time", "date": date} if date else "time")


def test_a_date_that_may_be_meant_in_two_ways_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,date,text\n1,1/2/2020,t\n2,3/4/2020,t\n")
    why = {line.key: line.why for line in propose(tmp_path / "a.csv").lines}
    assert "or is it %d/%m/%Y?" in why["created_at"]


def test_users_and_tags_are_told_by_their_fields_or_asked_for(tmp_path: Path) -> None:
    users = said(tmp_path / "a.csv", "username,karma,created\nann,5,1263338070\nbob,6,1263338071\n")
    assert users["file"]["entity"] == "users"
    assert (users["external_id"], users["reputation"], users["created_at"]) == (
        "username",
        "karma",
        "created",
    )
    assert said(tmp_path / "b.csv", "name,uses\nc++,5\nd,6\n")["file"]["entity"] == "tags"
    asked = said(tmp_path / "c.csv", "id,date\n1,2020-01-01\n2,2020-01-02\n", entity="users")
    assert asked["file"]["entity"] == "users"


def test_separated_tags_deleted_authors_and_quoted_names(tmp_path: Path) -> None:
    record = {"id": 1, "when.at": {"date": "2020-01-01"}, "by": "ann", "tags": "a,b", "text": "t"}
    found = said(tmp_path / "a.jsonl", lines(record, record | {"id": 2, "by": "[deleted]"}))
    assert found["tags"] == {"path": "tags", "separator": ","}
    assert found["created_at"] == '"when.at".date'
    assert found["author"]["external_id"] == {"path": "by", "null": ["[deleted]"]}


def test_parquet(tmp_path: Path) -> None:
    account = [{"id": 7, "name": "z"}] * 2
    table = pa.table(
        {"uid": [1, 2], "id": [3, 4], "text": ["a", "b"], "date": ["2020-01-01"] * 2, "user": account}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    proposal = propose(tmp_path / "a.parquet")
    assert (proposal.records, proposal.loadable) == (2, 2)
    assert {line.key: line.said for line in proposal.lines} == {
        "external_id": "id",
        "content": "text",
        "created_at": "date",
        "author.external_id": "user.id",
        "author.name": "user.name",
    }
    assert [seen.path for seen in proposal.left] == [("uid",)]


def test_what_is_not_found_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines({"id": 1, "text": "x"}, {"id": 2, "text": "y"}))
    assert propose(tmp_path / "a.jsonl").missing == ["created_at"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xml", b"<posts>\n</posts>", "without a mapping"),
        ("a.jsonl", b"[1]", "one JSON array"),
        ("a.jsonl", b"{\n", "holds no record"),
        ("a.csv", b"a,b\n", "holds no record"),
        ("a", b"\0\0\0", "binary"),
        ("a", b"", "holds nothing"),
    ],
)
def test_what_needs_no_mapping_or_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.SourceError, match=says):
        propose(tmp_path / name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=9,
)
NAMES = st.sampled_from(["id", "created_at", "user", "tags", "text", "name", "a.b", '"', "", "\0"])


@settings(deadline=None)
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=5), min_size=1, max_size=5))
def test_any_records_are_looked_at_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, records: Any
) -> None:
    for seen in observed(records):
        assert seen.looks
        assert seen.example.isprintable()
        seen.date()
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_text("{}\n" + lines(*records))
    try:
        proposal = propose(path)
    except errors.SourceError:
        return
    if not proposal.missing:
        inspect(path, format="auto", entity="auto", mapping=proposal.mapping)
