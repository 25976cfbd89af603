"""What Headrace is to reach, measured against Procrastinate and stock arq in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.peers import ARQ, HEADRACE, PROCRASTINATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.measuring import Figures

TIMES_FASTER = 3
TIMES_MEDIAN = 5
ENQUEUED_PER_SECOND = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """One target, in words, and what it came to."""

    says: str
    found: str
    met: bool


def targets(results: Mapping[str, Sequence[Figures]]) -> Iterator[Target]:
    """Judge Headrace by the queues that were measured beside it: medians of the repeats' ratios."""
    ours = results[HEADRACE]
    rate = median(one.enqueued_per_second for one in ours)
    says = f"runs enqueued in one call: over {ENQUEUED_PER_SECOND:,}/s"
    yield Target(says, f"{rate:,.0f}/s", rate > ENQUEUED_PER_SECOND)
    if ledger := results.get(PROCRASTINATE):
        times = _times(ours, ledger, lambda we, they: we.median_ms / they.median_ms)
        yield Target("median start latency: no more than Procrastinate's", f"{times:.2f} times", times <= 1)
        times = _times(ours, ledger, lambda we, they: we.p99_ms / they.median_ms)
        says = f"p99 of the start latency: under {TIMES_MEDIAN} times Procrastinate's median"
        yield Target(says, f"{times:.2f} times", times < TIMES_MEDIAN)
        yield _throughput(ours, ledger, "Procrastinate's")
    if stock := results.get(ARQ):
        yield _throughput(ours, stock, "stock arq's")


def _throughput(ours: Sequence[Figures], theirs: Sequence[Figures], whose: str) -> Target:
    times = _times(ours, theirs, lambda we, they: we.no_ops_per_second / they.no_ops_per_second)
    says = f"no-op jobs/s: at least {TIMES_FASTER} times {whose}"
    return Target(says, f"{times:.2f} times", times >= TIMES_FASTER)


def _times(
    ours: Sequence[Figures], theirs: Sequence[Figures], ratio: Callable[[Figures, Figures], float]
) -> float:
    return median(ratio(we, they) for we, they in zip(ours, theirs, strict=True))
