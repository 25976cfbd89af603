"""What all commands share: settings, resources, one-line errors, JSON on standard output."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
from rich.console import Console

from worker.logs import configure_logs
from worker.settings import Settings, read_settings
from worker.termination import end

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

# Standard output carries answers; everything else that a person may want to see goes to standard error.
PIPE_WIDTH = 160  # columns of a table that is not shown in a terminal
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)


def start(*, quiet: bool = True) -> Settings:
    """Read the settings and set up logs; a command that answers a person logs only what goes wrong."""
    settings = read_settings()
    configure_logs(settings, level="critical" if quiet and settings.log_level == "info" else None)
    return settings


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; SIGTERM ends it as Ctrl-C does, so that everything opened is closed."""

    async def with_signals() -> T:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end, task)
        return await main

    try:
        return asyncio.run(with_signals())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def print_json(document: Any) -> None:
    """Print one JSON document."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.write(text.decode() + "\n")
