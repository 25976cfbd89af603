"""`python -m tests.chaos.caught_process POINT COMMAND...` is `headrace COMMAND...`, caught at a fail point.

There it says so on standard output, and stands still until it reads a line from standard input.
"""

from __future__ import annotations

import asyncio
import sys

from tests.chaos.fail_points import FAIL_POINTS, arm
from worker.entry import main

REACHED = b"reached\n"


async def stand_still() -> None:
    sys.stdout.buffer.write(REACHED)
    sys.stdout.buffer.flush()
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    name = sys.argv.pop(1)
    arm(next(point for point in FAIL_POINTS if point.name == name), stand_still)
    main()
