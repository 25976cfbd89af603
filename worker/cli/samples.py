"""The sample command."""

from __future__ import annotations

from pathlib import Path

import click

from worker.cli.app import err, start
from worker.sample import SampleCounts, write_sample


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--users", type=click.IntRange(1, 100_000_000), required=True, help="How many users.")
@click.option("--posts", type=click.IntRange(0, 1_000_000_000), required=True, help="How many posts.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--dirty", is_flag=True, help="Add rows that must be repaired or rejected.")
def sample(*, folder: Path, users: int, posts: int, seed: int, dirty: bool) -> None:
    """Write a dump in the shape of Stack Exchange's: Users.xml, Tags.xml and Posts.xml."""
    start()
    counts = write_sample(folder, users=users, posts=posts, seed=seed, dirty=dirty)
    err.print(f"wrote {describe_sample(counts)} to {folder}", markup=False)


def describe_sample(counts: SampleCounts) -> str:
    """Say what a sample holds."""
    parts = ((name, getattr(counts, name)) for name in ("users", "tags", "posts"))
    return ", ".join(f"{part.rows:,} {name} ({part.rejected} to be rejected)" for name, part in parts)
