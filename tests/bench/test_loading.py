from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.loading.chart import draw
from bench.loading.files import Files
from bench.loading.growth import SERIES, Growth
from bench.loading.measures import Measure, at_least, at_most, judge
from bench.loading.posts import make_posts
from bench.loading.profiling import innermost
from bench.loading.stage import Took
from jobs.sources.opening import inspect, read

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
POSTS = 500
FIELDS = (
    "external_id",
    "author_external_id",
    "author_name",
    "parent_external_id",
    "kind",
    "title",
    "content",
    "score",
    "created_at",
    "tags",
)


def loaded(path: Path) -> list[tuple[Any, ...]]:
    layout = inspect(path, format="auto", entity="posts")
    with path.open("rb") as stream:
        return [
            tuple(getattr(record, name) for name in FIELDS) for record in read(stream, layout, layout.start)
        ]


def took(seconds: float) -> Took:
    return Took(seconds, seconds, seconds, seconds)


@pytest.mark.slow
def test_benchmark_imports_and_keeps_the_text_around_its_result(tmp_path: Path) -> None:
    document = tmp_path / "result.md"
    text = DOCUMENT.read_text()
    document.write_text(text)
    options = ["--rows", "200", "--repeats", "1", "--only", "again", "--markdown", str(document)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.loading", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = document.read_text()
    assert written.startswith(text.partition("<!--")[0])
    assert written.endswith(text.rpartition("-->")[2])
    assert "| Headrace, the same file again, unchanged | speed of Headrace, JSON Lines" in written


def test_posts_are_the_same_each_time_and_as_large_as_promised(tmp_path: Path) -> None:
    assert list(make_posts(POSTS)) == list(make_posts(POSTS))
    assert 850 < Files(tmp_path).jsonl(POSTS).stat().st_size / POSTS < 930


def test_json_lines_and_xml_hold_the_same_posts(tmp_path: Path) -> None:
    files = Files(tmp_path)
    posts = loaded(files.jsonl(POSTS))
    assert len(posts) == POSTS
    assert [(*post[:-1], set(post[-1])) for post in posts] == [
        (*post[:-1], set(post[-1])) for post in loaded(files.xml(POSTS))
    ]


def test_ratio_is_that_within_each_repeat() -> None:
    results = {"ours": [took(1), took(30)], "theirs": [took(2), took(60)]}
    assert Measure("a", "ours", "theirs", at_least(1)).ratios(results) == [2, 2]
    assert Measure("a", "ours", "theirs", at_most(1)).ratios(results) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("found", "bound", "outcome"),
    [
        (0.9, at_least(0.9), "met"),
        (0.45, at_least(0.9), "**missed by 50%**"),
        (1.2, at_most(1.3), "met"),
        (2.6, at_most(1.3), "**missed by 100%**"),
    ],
)
def test_verdict_says_by_how_much_a_target_is_missed(found: float, bound: Any, outcome: str) -> None:
    assert judge("a", found, "as shown", bound).outcome == outcome


def test_chart_has_a_point_for_each_size_and_series() -> None:
    repeats = {(title, posts): [took(1), took(2), took(9)] for title in SERIES for posts in (10, 100)}
    growth = Growth.of(repeats)
    assert growth.rates == {title: [5, 50] for title in SERIES}
    points = [element for element in ET.fromstring(draw(growth)) if element.tag.endswith("circle")]
    assert len(points) == 6


def test_profile_counts_innermost_functions_and_leaves_out_imports() -> None:
    raw = (
        "main (a.py);load (jobs/loading.py) 3\nmain (a.py);x (<frozen importlib._bootstrap>);y (z.py) 9\n"
        "load (jobs/loading.py) 2"
    )
    assert innermost(raw) == {"load (jobs/loading.py)": 5}
