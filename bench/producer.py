"""The asking side of a queue, and the two ways in which it is measured."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SLOTS = 10  # jobs that a worker may have running at a time
JobName = Literal["no_op", "pause"]
PAUSE_SECONDS = 0.05
WARM_UP = 20
SPACING_SECONDS = (0.05, 0.1)  # irregular, so as not to keep step with anybody's poll


@dataclass(frozen=True, slots=True)
class Producer:
    """How a queue is asked for one no-op job, and for many jobs by the fastest way that it documents."""

    one: Callable[[int], Awaitable[object]]
    many: Callable[[JobName, range], Awaitable[object]]


async def fill(producer: Producer, job: JobName, jobs: int) -> float:
    """Ask for many jobs; return the seconds it took."""
    await producer.many(job, range(-WARM_UP, 0))
    began = time.perf_counter()
    await producer.many(job, range(jobs))
    return time.perf_counter() - began


async def ask_one_by_one(producer: Producer, jobs: int) -> list[int]:
    """Ask for single no-op jobs with pauses between; return when, in nanoseconds of the monotonic clock."""
    moments = []
    for number in range(-WARM_UP, jobs):
        await asyncio.sleep(random.uniform(*SPACING_SECONDS))
        moments.append(time.monotonic_ns())
        await producer.one(number)
    return moments[WARM_UP:]
