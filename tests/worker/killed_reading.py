"""`python -m tests.worker.killed_reading COMMAND...` is `headrace COMMAND...`, killed as it reads a file."""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

from jobs import chunks
from jobs.planning import plan
from jobs.verifying import run
from worker.entry import main

READS = itertools.count(1)


def take_or_die(*arguments: Any) -> chunks.Chunk:
    if next(READS) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return chunks.take(*arguments)


if __name__ == "__main__":
    plan.take = run.take = take_or_die  # type: ignore[assignment, attr-defined]
    main()
