"""The report of a soak as Markdown, and its place in docs/reliability.md."""

from __future__ import annotations

import math
import os
import platform
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.chaos.disturbances import DISTURBANCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.chaos.soak import Felt
    from worker.resources import Resources

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
PACKAGES = ("headrace", "arq", "redis", "sqlalchemy", "asyncpg")


def quantile(seconds: Sequence[float], share: float) -> float:
    """Give the nearest-rank quantile: the smallest value that so large a share does not exceed."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]


def table(felt: Sequence[Felt]) -> list[str]:
    """Make a row for each kind of disturbance: how many, and the seconds until the next batch."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for what, seconds in felt:
        by_name[what.name].append(seconds)
    rows = ["| disturbance | number | p50 | p90 | p99 | max |", "| --- | --: | --: | --: | --: | --: |"]
    for name in (kind.name for kind in DISTURBANCES if kind.name in by_name):
        figures = [f"{quantile(by_name[name], share):.2f}" for share in (0.5, 0.9, 0.99, 1.0)]
        rows.append(f"| {name} | {len(by_name[name])} | {' | '.join(figures)} |")
    return rows


async def surroundings(resources: Resources) -> str:
    """Name the versions and the machine."""
    assert resources.redis is not None
    async with resources.database.reading() as session:
        postgres = await session.scalar(text("SHOW server_version"))
    redis = (await resources.redis.info("server"))["redis_version"]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {platform.python_version()}"
    return f"{python}, PostgreSQL {postgres}, Redis {redis}; {packages}; {os.cpu_count()} cores"


def write(felt: Sequence[Felt], facts: Mapping[str, object]) -> None:
    """Put the report between the markers of the document."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    body = "\n".join(["", *lines, "", *table(felt), ""])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
