"""Compare Headrace's worker with other queues: `make bench-queue` runs it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

# This file's own folder must not be searched: its name would hide the standard library's queue.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

import click  # noqa: E402

from bench.environments import NotInstalledError, versions_of  # noqa: E402
from bench.measuring import Sizes, measure  # noqa: E402
from bench.peers import PEERS, Peer  # noqa: E402
from bench.processes import BenchError  # noqa: E402
from bench.report import NoPlaceError, Results, report, write_into  # noqa: E402
from bench.services import open_services  # noqa: E402
from worker.cli.app import run_async  # noqa: E402

NAMES = ",".join(peer.name for peer in PEERS)


def _chosen(_context: click.Context, _option: click.Parameter, names: str) -> list[Peer]:
    unknown = set(names.split(",")) - set(NAMES.split(","))
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(sorted(unknown))}; known are {NAMES}")
    return [peer for peer in PEERS if peer.name in names.split(",")]


@click.command()
@click.option("--peers", default=NAMES, show_default=True, callback=_chosen, help="Which queues to compare.")
@click.option("--repeat", default=3, show_default=True, type=click.IntRange(1), help="How often, in turns.")
@click.option(
    "--jobs", default=2_000, show_default=True, type=click.IntRange(100), help="No-op jobs of one measure."
)
@click.option(
    "--markdown", type=click.Path(path_type=Path, exists=True), help="Document to write the result into."
)
def main(peers: list[Peer], repeat: int, jobs: int, markdown: Path | None) -> None:
    """Measure queues side by side on an embedded PostgreSQL and Redis, one worker process each."""
    try:
        versions = {peer: versions_of(peer) for peer in peers}
        results = run_async(_compare(peers, repeat, Sizes.of(jobs)))
        text = report(results, Sizes.of(jobs), versions)
        print(text)
        if markdown:
            write_into(markdown, text)
    except (BenchError, NoPlaceError, NotInstalledError) as error:
        raise click.ClickException(str(error)) from None


async def _compare(peers: list[Peer], repeat: int, sizes: Sizes) -> Results:
    results: Results = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        async with open_services(Path(folder, "home")) as services:
            for number in range(1, repeat + 1):
                for peer in peers:
                    figures = await measure(peer, services, sizes)
                    print(f"{number}/{repeat} {peer.title}: {figures}", file=sys.stderr)
                    results[peer].append(figures)
    return results


if __name__ == "__main__":
    main()
