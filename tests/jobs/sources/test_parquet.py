from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain, pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.sources import errors
from jobs.sources.opening import find_files, inspect, opened, read
from jobs.sources.ranges import boundaries
from jobs.sources.record import BadRecord, PostRecord, TagRecord, UserRecord
from tests.jobs.sources.sources import rules_of
from tests.jobs.sources.trials import try_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.opening import Layout
    from jobs.sources.record import Item

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


def laid_out(path: Path, columns: dict[str, Any], **options: Any) -> Layout:
    pq.write_table(pa.table(columns), path, **options)
    return inspect(path, format="auto", entity="auto")


def items(layout: Layout, start: int = 0) -> list[Item]:
    with opened(layout) as stream:
        return list(read(stream, layout, start))


def posts(path: Path, **columns: Any) -> list[Item]:
    rows = len(next(iter(columns.values())))
    usual = {"external_id": list(range(rows)), "created_at": ["2020-01-01"] * rows}
    return items(laid_out(path / "posts.parquet", usual | columns))


def test_a_post_is_read_by_its_columns(tmp_path: Path) -> None:
    (found,) = posts(
        tmp_path,
        site=["beer"],
        external_id=["7"],
        created_at=[NOON],
        author_external_id=[5],
        author_name=["Zoë"],
        parent_external_id=pa.array([None], pa.string()),
        score=[-3],
        content=["<p>\n</p>"],
        tags=[["a", "b", "a"]],
        mood=["calm"],
    )
    assert isinstance(found, PostRecord)
    assert msgspec.json.decode(found.raw)["external_id"] == "7"
    assert msgspec.structs.replace(found, raw=b"") == PostRecord(
        offset=0,
        end=1,
        raw=b"",
        unknown=("mood",),
        external_id="7",
        created_at=NOON,
        author_external_id="5",
        author_name="Zoë",
        content="<p>\n</p>",
        score=-3,
        tags=("a", "b"),
    )


def test_a_user_and_a_tag_are_read_likewise(tmp_path: Path) -> None:
    (user,) = items(laid_out(tmp_path / "a", {"external_id": [1], "email": ["x@example.org"]}))
    assert isinstance(user, UserRecord)
    assert (user.external_id, user.email, user.created_at) == ("1", "x@example.org", None)
    (tag,) = items(laid_out(tmp_path / "tags", {"name": pa.array(["c++"]).dictionary_encode()}))
    assert isinstance(tag, TagRecord)
    assert tag.name == "c++"


@pytest.mark.parametrize(
    "written",
    [
        pa.array([NOON], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")),
        pa.array(["2020-01-01T13:00:00+01:00"]),
        pa.array([NOON.timestamp()]),
        pa.array([int(NOON.timestamp())]),
        pa.array([b"2020-01-01T12:00:00Z"]),
    ],
)
def test_times_come_in_any_type(tmp_path: Path, written: pa.Array) -> None:
    (found,) = posts(tmp_path, created_at=written)
    assert isinstance(found, PostRecord)
    assert (found.created_at, found.created_at.tzinfo) == (NOON, UTC)


def test_a_date_is_its_midnight_and_decimals_are_ids(tmp_path: Path) -> None:
    (found,) = posts(tmp_path, created_at=[date(2020, 1, 1)], external_id=pa.array([7], pa.decimal128(38, 0)))
    assert isinstance(found, PostRecord)
    assert (found.external_id, found.created_at) == ("7", NOON.replace(hour=0))


def test_tags_are_a_list_or_a_text(tmp_path: Path) -> None:
    for tags in (["a|b"], ["<a><b>"], [["a", "b", None]]):
        (found,) = posts(tmp_path, tags=tags)
        assert isinstance(found, PostRecord)
        assert found.tags == ("a", "b")


def test_a_row_that_breaks_a_rule_costs_itself_only_and_is_kept_as_json(tmp_path: Path) -> None:
    far = pa.array([0, 2**62, 0, 0], pa.timestamp("s"))
    found = posts(
        tmp_path, created_at=far.cast(pa.int64()), external_id=["1", "2", None, "4"], score=[1, 1, 1, 2**40]
    )
    assert rules_of(found) == ["1", "date", "missing", "range"]
    assert isinstance(found[3], BadRecord)
    assert (found[3].offset, found[3].end) == (3, 4)
    assert msgspec.json.decode(found[3].raw)["score"] == 2**40


def test_impossible_characters_are_replaced_and_counted(tmp_path: Path) -> None:
    not_utf_8 = pa.array([b"\xff", b"b"]).view(pa.string())
    assert rules_of(posts(tmp_path, content=not_utf_8)) == ["encoding", "1"]
    (found,) = posts(tmp_path, content=["a\0b"], tags=[["\0"]])
    assert isinstance(found, PostRecord)
    assert (found.content, found.tags, found.repairs) == ("a\ufffdb", ("\ufffd",), 2)


def test_reading_goes_on_at_any_row_and_ranges_give_the_whole(tmp_path: Path) -> None:
    columns = {"external_id": range(1000), "created_at": ["2020-01-01"] * 1000}
    layout = laid_out(tmp_path / "posts", columns, row_group_size=90)
    whole = items(layout)
    assert rules_of(whole) == [str(number) for number in range(1000)]
    assert [item.offset for item in whole] == list(range(1000))
    for start in (1, 90, 500, 1000):
        assert items(layout, start) == whole[start:]
    begins = boundaries(layout, 4)
    assert begins == [0, 270, 540, 810]
    ends = pairwise([*begins, None])
    parts = [items(replace(layout, stop=stop), begin or 0) for begin, stop in ends]
    assert list(chain(*parts)) == whole


def test_progress_is_a_share_of_the_bytes_on_disk(tmp_path: Path) -> None:
    layout = laid_out(tmp_path / "tags", {"name": ["a", "b"]})
    with opened(layout) as stream:
        assert [stream.bytes_done(row) for row in (0, 1, 2)] == [0, layout.size // 2, layout.size]


def test_a_damaged_file_loses_nothing_before(tmp_path: Path) -> None:
    columns = {"external_id": range(100), "created_at": ["2020-01-01"] * 100}
    layout = laid_out(tmp_path / "posts", columns, row_group_size=50, use_dictionary=False)
    begin = pq.ParquetFile(layout.path).metadata.row_group(1).column(1).data_page_offset
    content = bytearray(layout.path.read_bytes())
    content[begin : begin + 30] = b"\xff" * 30
    layout.path.write_bytes(content)
    found: list[Item] = []
    with pytest.raises(errors.BrokenStreamError, match="behind row 50"), opened(layout) as stream:
        found += read(stream, layout, 0)
    assert len(found) == 50


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1 and more PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "posts.parquet").write_bytes(content)
    with pytest.raises(errors.UnknownFormatError, match="no sound Parquet"):
        inspect(tmp_path / "posts.parquet", format="auto", entity="auto")


@pytest.mark.parametrize("name", [b"external_id", b"Europe/Rome"])
def test_a_name_that_is_not_utf_8_is_no_error_of_ours(tmp_path: Path, name: bytes) -> None:
    times = pa.array([NOON], pa.timestamp("us", "Europe/Rome"))
    layout = laid_out(tmp_path / "posts", {"external_id": ["1"], "created_at": times, "tags": [["a"]]})
    schema = pa.py_buffer(pq.read_schema(layout.path).serialize()).to_pybytes()
    assert name in schema
    layout.path.write_bytes(layout.path.read_bytes().replace(name, b"\xff" * len(name)))
    with suppress(errors.SourceError):
        assert rules_of(items(inspect(layout.path, format="auto", entity="auto"))) == ["1"]


def test_a_message_of_a_library_is_shown_on_one_line(tmp_path: Path) -> None:
    layout = laid_out(tmp_path / "posts", {"external_id": ["1"], "created_at": [NOON]})
    problem = "type: \x0e\n!"
    assert "\\x0e" in str(errors.UnknownFormatError(layout.path, problem, "fetch it again"))


def test_a_table_without_the_required_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.UnknownColumnsError, match="created_at"):
        laid_out(tmp_path / "posts", {"external_id": [1]})


def test_a_folder_gives_its_parquet_files(tmp_path: Path) -> None:
    (tmp_path / "Posts.parquet").write_bytes(b"x")
    assert find_files(tmp_path) == {"posts": tmp_path / "Posts.parquet"}


def test_without_its_packages_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "posts.parquet").write_bytes(b"PAR1")
    monkeypatch.delitem(sys.modules, "jobs.sources.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.MissingExtraError, match=r"headrace\[parquet\]"):
        inspect(tmp_path / "posts.parquet", format="auto", entity="auto")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_any_table_gives_an_item_for_each_row_whoever_reads_it(tmp_path: Path, seed: int) -> None:
    try_parquet(Random(seed), tmp_path)


NOT_UTF_8 = pa.array([b"ok", b"\xff"], pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    ("name", "column", "rule"),
    [
        ("tags", pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), NOT_UTF_8), "encoding"),
        ("tags", pa.array([None, [1]], pa.list_(pa.timestamp("ns"))), "type"),
        ("score", pa.array([0, 2**62], pa.int64()).view(pa.time64("us")), "number"),
        ("content", pa.StructArray.from_arrays([NOT_UTF_8], names=["a"]), "type"),
        ("content", pa.array([None, [("a", 1)]], pa.map_(pa.string(), pa.int64())), "type"),
    ],
)
def test_a_value_that_python_cannot_give_is_a_reject_of_its_row(
    tmp_path: Path, name: str, column: pa.Array, rule: str
) -> None:
    assert rules_of(posts(tmp_path, **{name: column}))[1] == rule


def test_how_a_value_is_given_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    seconds = pa.array([[2**53], [1_577_880_000]], pa.list_(pa.int64()))
    times = seconds.cast(pa.list_(pa.timestamp("ms", "Europe/Rome")))
    layout = laid_out(tmp_path / "posts", {"external_id": [1, 2], "created_at": [0, 0], "tags": times})
    assert items(layout, 1) == items(layout)[1:]
