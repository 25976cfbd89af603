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
    # Not as KeyboardInterrupt: one that hits code made from text, as dataclasses are, kills the process
    # by the signal even if it is caught.
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    command_line = import_module("worker.cli.main")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command_line.main()
    except KeyboardInterrupt:
        _leave()


def _leave(_number: int = 0, _frame: FrameType | None = None) -> None:
    sys.stderr.write("headrace: interrupted\n")
    sys.exit(INTERRUPTED)
