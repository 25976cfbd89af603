"""Where the process begins: signals mean the same before everything is imported as after."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from worker.termination import terminate

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
STANDARD_ERROR = 2
GARBAGE_AFTER = 10_000  # objects; Python's own 700 are fewer than one part of a stream of rows has
SAYS = "headrace: interrupted\n"


def main() -> None:
    """Run the `headrace` command."""
    # Nothing is open yet, so the process may end at once. An exception could get lost: Python ignores those
    # that are raised in a destructor or in the callback of a weak reference, of which imports are full.
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    command_line = import_module("worker.cli.main")
    # What is here now stays. Looking through it and through rows for garbage takes a fourth of an export.
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    try:
        command_line.main()
    except KeyboardInterrupt:
        sys.stderr.write(SAYS)
        sys.exit(INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(STANDARD_ERROR, SAYS.encode())
    os._exit(INTERRUPTED)
