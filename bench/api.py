"""Measure the reads of `headrace web` on sites of several sizes: `make bench-api` runs it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parent.parent)

import click  # noqa: E402

from bench.api_report import Measured, report  # noqa: E402
from bench.load import Load, UnexpectedAnswerError, measure  # noqa: E402
from bench.processes import stop  # noqa: E402
from bench.reads import POST, READS  # noqa: E402
from bench.report import NoPlaceError, write_into  # noqa: E402
from bench.services import open_services  # noqa: E402
from bench.site import fill  # noqa: E402
from models.database import open_database  # noqa: E402
from worker.cli.app import run_async  # noqa: E402
from worker.schema import migrate  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

WEB = ("worker", "web", "--port")
BARE = ("uvicorn", "bench.bare_api:app", "--log-level", "warning", "--no-access-log", "--port")
LOOK_EVERY_SECONDS = 0.05
START_SECONDS = 30.0


@click.command()
@click.option("--posts", "sizes", multiple=True, type=click.IntRange(1_000), default=[100_000, 1_000_000])
@click.option("--requests", default=500, show_default=True, type=click.IntRange(100), help="Of each read.")
@click.option("--connections", default=8, show_default=True, type=click.IntRange(1, 100), help="At a time.")
@click.option(
    "--markdown", type=click.Path(path_type=Path, exists=True), help="Document to write the result into."
)
def main(sizes: Sequence[int], requests: int, connections: int, markdown: Path | None) -> None:
    """Measure each read of the API with some connections, on an embedded PostgreSQL, all on loopback."""
    try:
        results = run_async(_measure(sizes, requests, connections))
        text = report(results, requests, connections)
        print(text)
        if markdown:
            write_into(markdown, text)
    except (NoPlaceError, UnexpectedAnswerError, TimeoutError) as error:
        raise click.ClickException(str(error)) from None


async def _measure(sizes: Sequence[int], requests: int, connections: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        async with open_services(Path(folder, "home")) as services:
            results = []
            for posts in sizes:
                async with services.emptied() as variables:
                    await _prepare(variables["DATABASE_URL"], posts)
                    results.append(await _site(variables, posts, requests, connections))
            return results


async def _prepare(url: str, posts: int) -> None:
    print(f"making a site of {posts:,} posts ...", file=sys.stderr)
    async with open_database(url, application="bench") as database:
        await migrate(database.engine)
        await fill(database, posts)


async def _site(variables: Mapping[str, str], posts: int, requests: int, connections: int) -> Measured:
    async with _server(BARE, variables) as port:
        bare = await measure(port, POST.paths(posts, requests), connections)
    reads: dict[str, Load] = {}
    async with _server(WEB, variables) as port:
        for read in READS:
            reads[read.title] = await measure(port, read.paths(posts, requests), connections)
            print(f"{posts:,} posts, {read.title}: {reads[read.title]}", file=sys.stderr)
    return Measured(posts, bare, reads)


@asynccontextmanager
async def _server(words: Sequence[str], variables: Mapping[str, str]) -> AsyncIterator[int]:
    """Run a server on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        str(port),
        env={**os.environ, **variables, "HEADRACE_LOG_LEVEL": "warning"},
        start_new_session=True,
    )
    try:
        await asyncio.wait_for(_answers(port), START_SECONDS)
        yield port
    finally:
        await stop(process)


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        else:
            writer.close()
            return


if __name__ == "__main__":
    main()
