"""What holds for the ranges of a file, whatever its bytes."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.sources.ranges import boundaries
from jobs.sources.reading import read
from jobs.sources.window import CHUNK_BYTES
from tests.jobs.sources.sources import layout, rules_of
from tests.jobs.sources.test_reading import FRAGMENTS, ROWS, inputs, row

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.layout import Layout
    from jobs.sources.record import Format, Item


def laid_out(path: Path, format_: Format, data: bytes) -> Layout:
    path.write_bytes(data)
    return replace(layout(format_), path=path, size=len(data))


def items(how: Layout) -> list[Item]:
    with how.path.open("rb") as stream:
        return list(read(stream, how, how.start))


def ranges(how: Layout, parts: int) -> list[list[Item]]:
    ends = pairwise([*boundaries(how, parts), None])
    return [items(replace(how, start=begin or 0, stop=stop)) for begin, stop in ends]


@pytest.mark.parametrize("format_", FRAGMENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), parts=st.integers(1, 5))
def test_the_ranges_of_any_file_give_the_very_items_of_the_whole(
    tmp_path: Path, format_: Format, data: st.DataObject, parts: int
) -> None:
    how = laid_out(tmp_path / "file", format_, data.draw(inputs(format_)) + data.draw(inputs(format_)))
    assert list(chain(*ranges(how, parts))) == items(how)


@pytest.mark.parametrize("format_", ROWS)
def test_a_big_file_is_cut_into_about_equal_ranges(tmp_path: Path, format_: Format) -> None:
    rows = [row(format_, number, b"a, b" * 200) for number in range(1000)]
    found = ranges(laid_out(tmp_path / "file", format_, b"".join(rows)), 4)
    assert [len(part) in range(245, 256) for part in found] == [True] * 4
    assert rules_of(list(chain(*found))) == [str(number) for number in range(1000)]


def test_a_line_break_inside_quotes_is_no_place_to_cut(tmp_path: Path) -> None:
    row = b'1,2020-01-01,"' + b"2,2020-01-01,,,\n" * 50 + b'",,\n'
    found = ranges(laid_out(tmp_path / "file", "csv", row * 4), 3)
    assert [rules_of(part) for part in found] == [["1", "1"], ["1"], ["1"]]


def test_a_row_inside_a_comment_is_no_place_to_cut(tmp_path: Path) -> None:
    rows = [row("stackexchange", number, b"") for number in range(100)]
    data = b"".join(rows[:40]) + b"<!--\n" + b"".join(rows[40:60]) + b"-->\n" + b"".join(rows[60:])
    how = laid_out(tmp_path / "file", "stackexchange", data)
    assert list(chain(*ranges(how, 2))) == items(how)


@pytest.mark.parametrize("format_", ROWS)
def test_a_record_larger_than_a_range_leaves_fewer_of_them(tmp_path: Path, format_: Format) -> None:
    data = row(format_, 1, b"x" * 3 * CHUNK_BYTES) + row(format_, 2, b"")
    found = ranges(laid_out(tmp_path / "file", format_, data), 4)
    assert [rules_of(part) for part in found] == [["1"], ["2"]]
