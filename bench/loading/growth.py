"""How the rate of loading grows with the number of posts, for one worker process and for two."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.loading.imports import COPY, loading
from bench.loading.measures import at_least, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.loading.measures import Verdict
    from bench.loading.stage import Stage, Took

SHARES = (0.05, 0.5, 5)  # of the posts of the other measures: 10,000, 100,000 and 1,000,000
LARGEST_SHARE = 25
WORKERS = (1, 2)
FLAT = at_least(0.9)


@dataclass(frozen=True, slots=True)
class Growth:
    """The rates in posts/s by worker processes, each list in the order of the sizes."""

    sizes: tuple[int, ...]
    rates: Mapping[int, list[float]]

    @classmethod
    def of(cls, took: Mapping[tuple[int, int], Sequence[Took]]) -> Growth:
        """Take the medians of repeats, by processes and posts."""
        sizes = tuple(sorted({posts for _, posts in took}))
        medians = {key: key[1] / median(one.seconds for one in repeats) for key, repeats in took.items()}
        return cls(sizes, {workers: [medians[workers, posts] for posts in sizes] for workers in WORKERS})

    def verdicts(self) -> Iterator[Verdict]:
        """Judge how flat it is."""
        for workers, rates in self.rates.items():
            ratio = rates[-1] / rates[1]
            says = (
                f"growth, {_processes(workers)}: {self.sizes[-1]:,} posts | speed of {self.sizes[1]:,} posts"
            )
            yield judge(says, ratio, f"{ratio:.2f} times", FLAT)

    def rows(self) -> Iterator[str]:
        """Give the rows of a table."""
        for number, posts in enumerate(self.sizes):
            yield " | ".join([f"{posts:,}", *(f"{self.rates[workers][number]:,.0f}" for workers in WORKERS)])


def sizes_of(posts: int, *, largest: bool) -> tuple[int, ...]:
    """Choose the sizes that belong to the number of posts of the other measures."""
    shares = (*SHARES, LARGEST_SHARE) if largest else SHARES
    return tuple(max(int(posts * share), 1) for share in shares)


async def grow(stage: Stage, workers: int) -> Took:
    """Load the posts of a stage by so many processes."""
    (took,) = (await loading("growth", COPY, processes=workers)(stage)).values()
    return took


def _processes(workers: int) -> str:
    return f"{workers} worker process{'es' if workers > 1 else ''}"


HEAD = " | ".join(["posts", *(f"posts/s, {_processes(workers)}" for workers in WORKERS)])
