"""What was measured of the API, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.machine import describe_machine
from bench.reads import POST
from bench.report import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.load import Load

PACKAGES = ("headrace", "fastapi", "uvicorn", "sqlalchemy", "asyncpg")


@dataclass(frozen=True, slots=True)
class Measured:
    """The reads on a site of one size, by their titles, and the floor under them."""

    posts: int
    bare: Load
    reads: Mapping[str, Load]


def report(results: Sequence[Measured], requests: int, connections: int) -> str:
    """Put a table of each size under each other."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    head = f"{datetime.now(UTC):%Y-%m-%d}, {describe_machine()}. {versions}."
    how = f"{requests:,} requests of each read on {connections} connections."
    return "\n\n".join([f"{head} {how}", *(_site(one) for one in results)])


def _site(measured: Measured) -> str:
    rows = table("read | p50 | p99 | requests/s", _rows(measured))
    times = measured.bare.per_second / measured.reads[POST.title].per_second
    return (
        f"**{measured.posts:,} posts**\n\n{rows}\n\n"
        f"The bare server answers {times:.1f} times as many requests as the API does for {POST.title}."
    )


def _rows(measured: Measured) -> Iterator[str]:
    named = {**measured.reads, "bare FastAPI and asyncpg, a post without author and tags": measured.bare}
    for title, load in named.items():
        yield f"{title} | {load.p50_ms:.1f} ms | {load.p99_ms:.1f} ms | {load.per_second:,.0f}"
