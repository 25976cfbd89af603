"""The command that serves the HTTP API."""

from __future__ import annotations

from importlib import import_module
from math import inf
from typing import TYPE_CHECKING

import click

from worker.cli.app import run_async, start
from worker.resources import open_resources

if TYPE_CHECKING:
    from worker.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to answer at.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="Its port.")
def web(*, host: str, port: int) -> None:
    """Answer the HTTP API until SIGTERM or Ctrl-C. Needs a token unless only this host can reach it."""
    run_async(_web(start(quiet=False), host, port))


# Whoever asks over HTTP has gone by then.
LONGEST_STATEMENT_SECONDS = 30.0


async def _web(settings: Settings, host: str, port: int) -> None:
    # FastAPI takes a third of a second to import, which no other command should wait for.
    server = import_module("worker.web.server")
    seconds = min(settings.statement_seconds or inf, LONGEST_STATEMENT_SECONDS)
    settings = settings.model_copy(update={"statement_seconds": seconds})
    async with open_resources(settings, redis=True) as resources:
        await server.serve(resources, host, port)
