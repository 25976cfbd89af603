"""What is measured of a queue, and how."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.marks import Mark, count_marks, read_marks
from bench.processes import Stage
from bench.producer import WARM_UP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bench.peers import Peer
    from bench.services import Services

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many jobs each measure takes."""

    no_ops: int
    pauses: int
    single: int
    enqueued: int

    @classmethod
    def of(cls, jobs: int) -> Sizes:
        """Take so many no-op jobs, and the rest in proportion."""
        return cls(no_ops=jobs, pauses=jobs // 10, single=jobs // 10, enqueued=jobs * 5)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one queue did in one repeat."""

    no_ops_per_second: float
    pauses_per_second: float
    median_ms: float
    p99_ms: float
    enqueued_per_second: float


NAMES = tuple(field.name for field in fields(Figures))


def medians(repeats: Sequence[Figures]) -> Figures:
    """Take the median of each figure over all repeats."""
    return Figures(*(median(getattr(one, name) for one in repeats) for name in NAMES))


def ratios(ours: Sequence[Figures], theirs: Sequence[Figures]) -> Figures:
    """Divide by the other's figures of the same repeat, made at nearly the same time; take the medians."""
    pairs = list(zip(ours, theirs, strict=True))
    return medians(
        [Figures(*(getattr(we, name) / getattr(they, name) for name in NAMES)) for we, they in pairs]
    )


async def measure(peer: Peer, services: Services, sizes: Sizes) -> Figures:
    """Measure one queue once; it gets an empty Redis and a new database for each part."""
    async with _stage(peer, services) as stage:
        seconds = await stage.ask("fill", "no_op", sizes.enqueued)
    async with _stage(peer, services) as stage:
        await stage.ask("fill", "no_op", sizes.no_ops)
        async with stage.worker():
            await stage.wait_for(sizes.no_ops + WARM_UP)
        no_ops = jobs_per_second(read_marks(stage.marks))
    async with _stage(peer, services) as stage:
        await stage.ask("fill", "pause", sizes.pauses)
        async with stage.worker():
            await stage.wait_for(sizes.pauses + WARM_UP)
            pauses = jobs_per_second(read_marks(stage.marks))
            latencies = await _latencies_ms(stage, sizes.single)
    return Figures(
        no_ops,
        pauses,
        median(latencies),
        quantiles(latencies, n=100, method="inclusive")[98],
        sizes.enqueued / seconds,
    )


@asynccontextmanager
async def _stage(peer: Peer, services: Services) -> AsyncIterator[Stage]:
    async with services.emptied() as variables:
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
            stage = Stage(peer, variables, Path(folder))
            await stage.ask("prepare")
            yield stage


def jobs_per_second(marks: Sequence[Mark]) -> float:
    """Give the rate between the first start and the last end, without the jobs of the warm-up."""
    counted = [mark for mark in marks if mark.number >= 0]
    span_ns = max(mark.ended_ns for mark in counted) - min(mark.started_ns for mark in counted)
    return len(counted) * NS_PER_SECOND / span_ns


async def _latencies_ms(stage: Stage, jobs: int) -> list[float]:
    """Ask for single jobs of an idle worker; from just before each call to the first line of its job."""
    before = count_marks(stage.marks)
    asked = await stage.ask("one_by_one", jobs)
    await stage.wait_for(before + WARM_UP + jobs)
    started = {mark.number: mark.started_ns for mark in read_marks(stage.marks)[before:]}
    return [(started[number] - moment) / NS_PER_MS for number, moment in enumerate(asked)]
