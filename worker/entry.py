"""Where the process begins: signals mean the same before everything is imported as after."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the `headrace` command."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        import_module("worker.cli.main").main()
    except KeyboardInterrupt:
        sys.stderr.write("headrace: interrupted\n")
        sys.exit(INTERRUPTED)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
