"""How the rate of loading grows with the number of posts: psql's, and ours by one process and by two."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.loading import psql
from bench.loading.imports import COPY, loading
from bench.loading.measures import at_least, judge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from bench.loading.measures import Verdict
    from bench.loading.stage import Stage, Took

    Load = Callable[[Stage], Awaitable[Mapping[str, Took]]]

SHARES = (0.05, 0.5, 5)  # of the posts of the other measures: 10,000, 100,000 and 1,000,000
LARGEST_SHARE = 25
OURS: dict[str, Load] = {
    "1 worker process": loading("growth", COPY),
    "2 worker processes": loading("growth", COPY, processes=2),
}
SERIES: dict[str, Load] = {"psql": psql.load, **OURS}
FLAT = at_least(0.9)
HEAD = " | ".join(["posts", *(f"posts/s, {title}" for title in SERIES)])


@dataclass(frozen=True, slots=True)
class Growth:
    """The rates in posts/s of each series, each list in the order of the sizes."""

    sizes: tuple[int, ...]
    rates: Mapping[str, list[float]]

    @classmethod
    def of(cls, took: Mapping[tuple[str, int], Sequence[Took]]) -> Growth:
        """Take the medians of repeats, by series and posts."""
        sizes = tuple(sorted({posts for _, posts in took}))
        medians = {key: key[1] / median(one.seconds for one in repeats) for key, repeats in took.items()}
        return cls(sizes, {title: [medians[title, posts] for posts in sizes] for title in SERIES})

    def verdicts(self) -> Iterator[Verdict]:
        """Judge how flat ours are; psql's has no target, and is what tables of that size allow."""
        for title, rates in self.rates.items():
            ratio = rates[-1] / rates[1]
            says = f"growth, {title}: {self.sizes[-1]:,} posts | speed of {self.sizes[1]:,} posts"
            yield judge(says, ratio, f"{ratio:.2f} times", FLAT if title in OURS else None)

    def rows(self) -> Iterator[str]:
        """Give the rows of a table."""
        for number, posts in enumerate(self.sizes):
            yield " | ".join([f"{posts:,}", *(f"{rates[number]:,.0f}" for rates in self.rates.values())])


def sizes_of(posts: int, *, largest: bool) -> tuple[int, ...]:
    """Choose the sizes that belong to the number of posts of the other measures."""
    shares = (*SHARES, LARGEST_SHARE) if largest else SHARES
    return tuple(max(int(posts * share), 1) for share in shares)
