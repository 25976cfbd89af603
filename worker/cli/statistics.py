"""Commands about authors: stats and authors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.table import Table

from jobs.requests import RebuildAuthorStats, RefreshAuthorStats
from models.rankings import Ranking, top_authors
from models.stats_upkeep import drifted
from worker.cli.app import json_option, out, print_json, run_async, start
from worker.here import carry_out
from worker.resources import open_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from worker.settings import Settings


@click.group()
def stats() -> None:
    """Refresh, rebuild or audit the authors' statistics."""


@stats.command()
@json_option
def refresh(*, as_json: bool) -> None:
    """Compute the statistics of the authors whose posts changed."""
    _show(run_async(carry_out(start(), RefreshAuthorStats())), as_json=as_json)


@stats.command()
@json_option
def rebuild(*, as_json: bool) -> None:
    """Compute the statistics of all authors and report how many had drifted."""
    _show(run_async(carry_out(start(), RebuildAuthorStats())), as_json=as_json)


@stats.command()
@json_option
def audit(*, as_json: bool) -> None:
    """Compare the stored statistics with the posts; changes nothing, non-zero if any author has drifted."""
    wrong = run_async(_audit(start()))
    _show({"drifted": wrong}, as_json=as_json)
    if wrong:
        sys.exit(1)


async def _audit(settings: Settings) -> int:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        return await drifted(session)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        out.print(", ".join(f"{name}: {value:,}" for name, value in result.items()))


@click.command()
@click.option("--site", help="Only authors of this site.")
@click.option("--top", type=click.IntRange(1, 1_000_000), default=10, show_default=True, help="How many.")
@json_option
def authors(*, site: str | None, top: int, as_json: bool) -> None:
    """List the authors with the highest total score. Exact at any time: stale figures are computed."""
    rows = run_async(_authors(start(), site, top))
    if as_json:
        print_json([dict(row) for row in rows])
    else:
        show_authors(rows)


async def _authors(settings: Settings, site: str | None, top: int) -> Sequence[RowMapping]:
    async with open_resources(settings) as resources, resources.database.reporting(fresh=True) as session:
        return await top_authors(session, Ranking(site=site), top)


def show_authors(rows: Sequence[RowMapping]) -> None:
    """Print a leaderboard."""
    table = Table(box=SIMPLE, title="authors by total score")
    columns = ("name", "posts", "score", "mean", "best", "h-index", "words", "days", "first", "last")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(
            row["name"] or row["external_id"],
            *(f"{row[name]:,}" for name in ("post_count", "total_score")),
            f"{row['mean_score']:.2f}",
            *(f"{row[name]:,}" for name in ("max_score", "h_index", "word_count", "active_days")),
            *(f"{row[name]:%Y-%m-%d}" for name in ("first_post_at", "last_post_at")),
        )
    out.print(table)
