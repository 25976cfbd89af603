"""What was measured of loading, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING

import psutil

from bench.loading import growth as growing
from bench.loading import memory
from bench.loading.measures import verdicts
from bench.loading.peers import LXML, PEERS
from bench.loading.scenes import TITLES
from bench.machine import describe_machine
from bench.report import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.loading.growth import Growth
    from bench.loading.measures import Results, Verdict
    from bench.loading.memory import Peak
    from bench.loading.profiling import Profile
    from bench.loading.stage import Took

OURS = ("headrace", "sqlalchemy", "asyncpg", "msgspec")
SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
BYTES_PER_GIB = 2**30
RATELESS = ("refresh",)  # it does not read all posts
FIGURE_HEAD = "what | posts/s | work | whole command | its processor time | PostgreSQL's processor time"


@dataclass(slots=True)
class Found:
    """All that one run of the benchmark found."""

    posts: int
    repeats: int
    settings: dict[str, str]
    results: Results = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    peaks: list[Peak] = field(default_factory=list)
    growth: Growth | None = None
    profiles: list[Profile] = field(default_factory=list)


def report(found: Found, chart: str) -> str:
    """Put everything into Markdown; the chart is named by its file."""
    judged = table("what | against | found | target | outcome", map(_judged, _verdicts(found)), rule="---")
    parts = [_head(found), "### Targets", judged]
    if found.results:
        parts += ["### Figures", table(FIGURE_HEAD, _figures(found))]
    parts += [f"Left out: {title} ({why} is not installed)." for title, why in found.skipped.items()]
    if found.growth:
        parts += ["### Growth", f"![posts/s by posts loaded]({chart})"]
        parts.append(table(growing.HEAD, found.growth.rows()))
    if found.peaks:
        parts += ["### Memory", table(memory.HEAD, memory.rows(found.peaks))]
    if found.profiles:
        parts += ["### Profiles", *(profile.text() for profile in found.profiles)]
    return "\n\n".join(parts)


def _head(found: Found) -> str:
    settings = ", ".join(f"`{name}` {value}" for name, value in found.settings.items())
    ours = [f"{name} {version(name)}" for name in OURS]
    theirs = {one for peer in (LXML, *PEERS) if not peer.missing() for one in peer.versions()}
    versions = ", ".join((*ours, *sorted(theirs)))
    memory_gib = psutil.virtual_memory().total / BYTES_PER_GIB
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {describe_machine()}, {memory_gib:.0f} GiB of memory. "
        f"PostgreSQL: {settings}. {versions}.\n\n"
        f"{found.posts:,} posts; medians of {found.repeats} interleaved repeats, "
        "in brackets the range of the ratios."
    )


def _verdicts(found: Found) -> Iterator[Verdict]:
    yield from verdicts(found.results, TITLES)
    if found.peaks:
        yield from memory.verdicts(found.peaks)
    if found.growth:
        yield from found.growth.verdicts()


def _judged(verdict: Verdict) -> str:
    return f"{verdict.says} | {verdict.found} | {verdict.wanted} | {verdict.outcome}"


def _figures(found: Found) -> Iterator[str]:
    for figure, title in TITLES.items():
        if repeats := found.results.get(figure):
            rate = f"{found.posts / median(one.seconds for one in repeats):,.0f}"
            yield f"{title} | {'' if figure in RATELESS else rate} | {_times(repeats)}"


def _times(repeats: Sequence[Took]) -> str:
    """Take the median of each time over the repeats."""
    names = ("seconds", "command_seconds", "cpu_seconds", "server_cpu_seconds")
    return " | ".join(f"{median(getattr(one, name) for one in repeats):.2f} s" for name in names)
