"""The largest memory of the loading process, for a file of 100 MB and for one ten times as large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.loading.imports import COPY, import_
from bench.loading.measures import at_most, judge
from bench.loading.peers import DLT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.loading.measures import Verdict
    from bench.loading.stage import Stage

SHARES = (0.56, 5.6)  # of the posts of the other measures, which is 100 MB and 1 GB of 200,000
BYTES_PER_MB = 1_000_000
LARGEST_MB = at_most(200)
EQUAL = at_most(1.1)
OURS = {"jsonl": "Headrace, JSON Lines", "xml": "Headrace, Stack Exchange XML"}
HEAD = "what | file | peak memory"


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest resident memory while a file was loaded."""

    title: str
    file_bytes: int
    peak_bytes: int

    @property
    def mb(self) -> float:
        """Give it in megabytes."""
        return self.peak_bytes / BYTES_PER_MB


def sizes_of(posts: int) -> tuple[int, ...]:
    """Choose the sizes that belong to the number of posts of the other measures."""
    return tuple(int(posts * share) for share in SHARES)


async def peak_of(stage: Stage, source: str) -> Peak:
    """Load one file by one process; `source` is the format for Headrace, or dlt."""
    if source == DLT.figure:
        took = (await DLT.load(stage))[source]
        return Peak(DLT.title, DLT.file(stage.files, stage.posts).stat().st_size, took.peak_bytes)
    path: Path = getattr(stage.files, source)(stage.posts)
    took = await import_(stage, path, COPY)
    return Peak(OURS[source], path.stat().st_size, took.peak_bytes)


def verdicts(peaks: Sequence[Peak]) -> Iterator[Verdict]:
    """Judge Headrace's peaks: each by itself, and the larger file's beside the smaller one's."""
    for title in OURS.values():
        small, large = (peak for peak in peaks if peak.title == title)
        for peak in (small, large):
            says = f"{title}: peak memory | of a file of {peak.file_bytes / BYTES_PER_MB:,.0f} MB"
            yield judge(says, peak.mb, f"{peak.mb:,.0f} MB", LARGEST_MB, "MB")
        ratio = large.mb / small.mb
        says = f"{title}: peak memory of the larger file | that of the smaller"
        yield judge(says, ratio, f"{ratio:.2f} times", EQUAL)


def rows(peaks: Sequence[Peak]) -> Iterator[str]:
    """Give the rows of a table."""
    for peak in peaks:
        yield f"{peak.title} | {peak.file_bytes / BYTES_PER_MB:,.0f} MB | {peak.mb:,.0f} MB"
