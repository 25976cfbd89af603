"""One run of the benchmark: everything that was asked for, in turns, on one PostgreSQL."""

from __future__ import annotations

import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psutil

from bench.loading import growth, memory, profiling
from bench.loading.files import Files
from bench.loading.growth import Growth
from bench.loading.measures import MEASURES
from bench.loading.peers import DLT
from bench.loading.report import SETTINGS, Found
from bench.loading.scenes import scenes_for
from bench.loading.stage import open_stage
from bench.services import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bench.loading.scenes import Scene
    from bench.loading.stage import Stage, Took
    from bench.services import Services

MEMORY, GROWTH = "memory", "growth"


async def play(rows: int, repeats: int, names: set[str], *, largest: bool, profile: bool) -> Found:
    """Measure what is named, and profile imports if told to."""
    async with _house() as house:
        found = Found(rows, repeats, await house.settings())
        await house.play_scenes(found, names)
        if GROWTH in names:
            found.growth = await house.grow(growth.sizes_of(rows, largest=largest), repeats)
        if MEMORY in names:
            found.peaks = [peak async for peak in house.peaks(rows)]
        if profile:
            found.profiles = [one async for one in house.profiles(rows)]
        return found


@asynccontextmanager
async def _house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        files, home = Path(folder, "files"), Path(folder, "home")
        files.mkdir()
        async with open_services(home) as services:
            server = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
            yield House(services, psutil.Process(server), Files(files))


@dataclass(frozen=True, slots=True)
class House:
    """The services and files that all share."""

    services: Services
    server: psutil.Process
    files: Files

    async def settings(self) -> dict[str, str]:
        """Read the settings of PostgreSQL that matter."""
        url = self.services.postgres.set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            return {name: await connection.fetchval(f"SHOW {name}") for name in SETTINGS}
        finally:
            await connection.close()

    @asynccontextmanager
    async def stage(self, posts: int) -> AsyncIterator[Stage]:
        """Make a new database for so many posts."""
        async with open_stage(self.services, self.server, self.files, posts) as stage:
            yield stage

    async def play_scenes(self, found: Found, names: set[str]) -> None:
        """Play what the named measures need, all of it once in each repeat."""
        wanted = {figure for one in MEASURES if one.name in names for figure in (one.ours, one.theirs)}
        chosen = scenes_for(wanted)
        found.skipped = {
            title: why for one in chosen if (why := one.missing()) for title in one.titles.values()
        }
        for number in range(1, found.repeats + 1):
            for scene in (one for one in chosen if not one.missing()):
                await self._play(scene, found, f"{number}/{found.repeats}")

    async def _play(self, scene: Scene, found: Found, turn: str) -> None:
        async with self.stage(found.posts) as stage:
            for figure, took in (await scene.act(stage)).items():
                found.results.setdefault(figure, []).append(took)
                _say(f"{turn} {scene.titles[figure]}", took)

    async def grow(self, sizes: Sequence[int], repeats: int) -> Growth:
        """Load each size in each way."""
        all_took: dict[tuple[str, int], list[Took]] = {}
        for _ in range(repeats):
            for posts in sizes:
                for title, load in growth.SERIES.items():
                    async with self.stage(posts) as stage:
                        (took,) = (await load(stage)).values()
                    all_took.setdefault((title, posts), []).append(took)
                    _say(f"growth, {posts:,} posts, {title}", took)
        return Growth.of(all_took)

    async def peaks(self, rows: int) -> AsyncIterator[memory.Peak]:
        """Load files of two sizes in each format; dlt the smaller one alone, as it takes minutes."""
        small, large = memory.sizes_of(rows)
        plan = [(posts, source) for posts in (small, large) for source in memory.OURS]
        for posts, source in [*plan, *([] if DLT.missing() else [(small, DLT.figure)])]:
            async with self.stage(posts) as stage:
                yield (peak := await memory.peak_of(stage, source))
            print(peak, file=sys.stderr)

    async def profiles(self, rows: int) -> AsyncIterator[profiling.Profile]:
        """Import in each of the ways that are profiled."""
        for title in profiling.WAYS:
            async with self.stage(rows) as stage:
                yield await profiling.profile(stage, title)


def _say(what: str, took: Took) -> None:
    print(f"{what}: {took.seconds:.2f} s of {took.command_seconds:.2f} s", file=sys.stderr)
