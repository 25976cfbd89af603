"""What else loads posts: each as the first pages of its documentation say, into a table of its own."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from bench.processes import BenchError
from jobs.writers.registry import choose_writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.loading.files import Files
    from bench.loading.stage import Stage, Took

OWN_TABLE = "loaded"
DLT_TABLE = "loaded.posts"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another way to read or load the posts: a module in `bench/loaders`."""

    figure: str
    title: str
    module: str
    source: str
    """Which of the posts' files it reads: a method of Files."""
    packages: tuple[str, ...] = ()
    program: str | None = None
    """What it needs besides Python packages."""
    arguments: tuple[str, ...] = ()
    table: str | None = OWN_TABLE
    """Where its rows are afterwards; None if it stores none."""

    def missing(self) -> str | None:
        """Say what is not installed."""
        for package in self.packages:
            try:
                version(package)
            except PackageNotFoundError:
                return package
        return self.program if self.program and not shutil.which(self.program) else None

    def versions(self) -> list[str]:
        """Name what it is made of, with the versions."""
        if self.program:
            said = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True)
            return [said.stdout.splitlines()[0]]
        return [f"{package} {version(package)}" for package in self.packages]

    def file(self, files: Files, posts: int) -> Path:
        """Give the file that it reads."""
        path: Path = getattr(files, self.source)(posts)
        return path

    async def load(self, stage: Stage) -> Mapping[str, Took]:
        """Have it load the posts, and count them.

        Raises:
            BenchError: it failed, or some are missing.

        """
        where = (stage.url,) if self.table else ()
        words = (*where, self.file(stage.files, stage.posts), *self.arguments)
        took, _ = await stage.python(f"bench.loaders.{self.module}", *words)
        if self.table:
            async with stage.connection() as connection:
                rows = await connection.fetchval(f"SELECT count(*) FROM {self.table}")
            if rows != stage.posts:
                raise BenchError(f"{self.title} loaded {rows:,} of {stage.posts:,} posts")
        return {self.figure: took}


LXML = Peer("lxml", "lxml `iterparse` of the XML, nothing stored", "lxml", "xml", ("lxml",), table=None)
DLT_PACKAGES = ("dlt", "psycopg2-binary")
DLT = Peer("dlt", "dlt, JSON Lines", "dlt", "jsonl", DLT_PACKAGES, table=DLT_TABLE)
PEERS = (
    DLT,
    Peer(
        "dlt-csv",
        'dlt, JSON Lines, `loader_file_format="csv"`',
        "dlt",
        "jsonl",
        DLT_PACKAGES,
        arguments=("csv",),
        table=DLT_TABLE,
    ),
    Peer("pandas", "pandas `to_sql`, CSV", "pandas", "csv", ("pandas", "psycopg")),
    Peer(
        "polars",
        "polars `write_database` by ADBC, CSV",
        "polars",
        "csv",
        ("polars", "adbc-driver-postgresql", "pyarrow"),
    ),
    Peer("pgloader", "pgloader, CSV", "pgloader", "csv", program="pgloader"),
)


async def bare_add_all(stage: Stage) -> Mapping[str, Took]:
    """Load by a bare `add_all` loop, in batches as large as Headrace's."""
    batch = choose_writer("add_all", "postgresql").records_per_batch
    took, _ = await stage.python("bench.loaders.bare", stage.url, stage.posts, batch)
    await stage.check_whole()
    return {"bare": took}
