"""The result as Markdown, and its place in a document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.machine import describe_machine
from bench.measuring import NAMES, medians, ratios
from bench.peers import HEADRACE
from bench.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench.measuring import Figures, Sizes
    from bench.peers import Peer
    from bench.targets import Target

BEGIN, END = "<!-- the benchmark writes from here -->", "<!-- to here -->"
Results = dict["Peer", list["Figures"]]
FIGURES = "no-op jobs/s | 50 ms jobs/s | start p50 | start p99 | enqueue/s"


class NoPlaceError(Exception):
    """A document has no place for the result."""


def report(results: Results, sizes: Sizes, versions: Mapping[Peer, Mapping[str, str]]) -> str:
    """Put everything that was found into Markdown."""
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}, {describe_machine()}. {_sizes(results, sizes)}",
        table(f"queue | {FIGURES}", (_row(peer, medians(repeats)) for peer, repeats in results.items())),
    ]
    ours = next((repeats for peer, repeats in results.items() if peer.name == HEADRACE), None)
    if ours is not None:
        others = ((peer, ratios(ours, theirs)) for peer, theirs in results.items() if theirs is not ours)
        judged = targets({peer.name: repeats for peer, repeats in results.items()})
        parts += [
            "Headrace's figures divided by the other's of the same repeat; of latencies, smaller is better:",
            table(f"against | {FIGURES}", (_ratios(peer, ratio) for peer, ratio in others)),
            table("target | found | reached", (_judged(target) for target in judged)),
        ]
    abouts = (_about(peer, versions[peer]) for peer in results)
    parts.append(table("queue | versions | worker", abouts, rule="---"))
    return "\n\n".join(parts)


def write_into(document: Path, text: str) -> None:
    """Replace what stands between the markers of a document.

    Raises:
        NoPlaceError: it has no such markers.

    """
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoPlaceError(f"{document} has no lines {BEGIN!r} and {END!r}")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _sizes(results: Results, sizes: Sizes) -> str:
    repeats = max(map(len, results.values()))
    return (
        f"Medians of {repeats} interleaved repeats of {sizes.no_ops:,} no-op jobs, {sizes.pauses:,} jobs "
        f"of 50 ms, {sizes.single:,} single jobs and {sizes.enqueued:,} enqueued."
    )


def table(head: str, rows: Iterator[str], *, rule: str = "---:") -> str:
    """Draw a table: its head and its rows, without the outer bars."""
    rules = " | ".join(["---", *[rule] * head.count("|")])
    return "\n".join(f"| {line} |" for line in (head, rules, *rows))


def _row(peer: Peer, one: Figures) -> str:
    rates = f"{one.no_ops_per_second:,.0f} | {one.pauses_per_second:,.0f}"
    latencies = f"{one.median_ms:.1f} ms | {one.p99_ms:.1f} ms"
    return f"{peer.title} | {rates} | {latencies} | {one.enqueued_per_second:,.0f}"


def _ratios(peer: Peer, ratio: Figures) -> str:
    return " | ".join([peer.title, *(f"{getattr(ratio, name):.2f}" for name in NAMES)])


def _judged(target: Target) -> str:
    return f"{target.says} | {target.found} | {'yes' if target.met else '**no**'}"


def _about(peer: Peer, versions: Mapping[str, str]) -> str:
    return (
        f"{peer.title} | {', '.join(f'{name} {number}' for name, number in versions.items())} | {peer.about}"
    )
