"""`python -m tests.worker.measured COMMAND...` is `headrace COMMAND...`; at its end, it prints its peak size.

What the parent's rusage says begins with the parent's own size.
"""

from __future__ import annotations

import re
from pathlib import Path

from worker.entry import main


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1_024


if __name__ == "__main__":
    try:
        main()
    finally:
        print(peak_bytes())  # noqa: T201 - what this is for
