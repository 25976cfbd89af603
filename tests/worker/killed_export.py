"""`python -m tests.worker.killed_export COMMAND...` is `headrace COMMAND...`, killed in an export."""

from __future__ import annotations

import os
import signal

from jobs import export_rows
from tests.chaos.fail_points import FailPoint, Moment, arm
from worker.entry import main

ROWS_PER_PARTITION, CHECKPOINT_BYTES = 50, 10_000
POINT = FailPoint("export-half-written", "jobs.export_rows:Export._write", Moment.AFTER, call=12)


async def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    export_rows.ROWS_PER_PARTITION = ROWS_PER_PARTITION
    export_rows.CHECKPOINT_BYTES = CHECKPOINT_BYTES
    arm(POINT, die)
    main()
