"""Where an import spends its time: samples of its Python by py-spy, and the processors' time beside it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.loading.imports import ADD_ALL, COPY, import_
from bench.report import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.loading.stage import Stage, Took

SAMPLES_PER_SECOND = 200
FUNCTIONS = 12
FRAME = re.compile(r"(?P<function>.*) \((?P<path>.*)\)")
UNREADABLE = "what py-spy could not read"  # a greenlet that is being switched, for one
IMPORTING = "importlib._bootstrap"
OURS = ("jobs/sources", "jobs/writers", "jobs", "models", "worker")
WAYS = {
    "Headrace, JSON Lines, copy writer": ("jsonl", COPY),
    "Headrace, Stack Exchange XML, copy writer": ("xml", COPY),
    "Headrace, JSON Lines, `add_all` writer": ("jsonl", ADD_ALL),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one import by their innermost Python function, as `function (path)`."""

    title: str
    took: Took
    samples: Counter[str]

    def text(self) -> str:
        """Put it into Markdown."""
        took = self.took
        split = (
            f"**{self.title}**: {took.seconds:.1f} s of work; processor time of the whole command: "
            f"{took.cpu_seconds:.1f} s its own, {took.server_cpu_seconds:.1f} s PostgreSQL's."
        )
        return "\n\n".join(
            [
                split,
                table("Python's time in | share", self._rows(self._rooms())),
                table("innermost Python function | share", self._rows(self.samples, "`")),
            ]
        )

    def _rooms(self) -> Counter[str]:
        rooms: Counter[str] = Counter()
        for frame, samples in self.samples.items():
            rooms[_room_of(frame)] += samples
        return rooms

    def _rows(self, samples: Counter[str], quote: str = "") -> Iterator[str]:
        for name, count in samples.most_common(FUNCTIONS):
            yield f"{quote}{name}{quote} | {count / samples.total():.1%}"


def _room_of(frame: str) -> str:
    found = FRAME.fullmatch(frame)
    if not found:
        return frame
    path = found["path"]
    ours = (room for room in OURS if path.startswith(f"{room}/"))
    package = path.partition("/")[0]
    is_standard = package.removesuffix(".py") in sys.stdlib_module_names or "/" not in path
    return next(ours, "the standard library" if is_standard else package)


async def profile(stage: Stage, title: str) -> Profile:
    """Import the posts in one of the ways, sampled: it takes somewhat longer than without."""
    source, writer = WAYS[title]
    found = stage.folder / "profile.raw"
    # Who holds the interpreter's lock is working; the others wait for something.
    how = ("--gil", "--nolineno", "--rate", SAMPLES_PER_SECOND, "--format", "raw", "--output", found)
    under = (Path(sys.executable).with_name("py-spy"), "record", *how, "--")
    took = await import_(stage, getattr(stage.files, source)(stage.posts), writer, under=under)
    return Profile(title, took, innermost(found.read_text()))


def innermost(raw: str) -> Counter[str]:
    """Count the samples of each innermost function in lines of `outer;inner number`.

    What imports modules is left out: it belongs to the start of the program.
    """
    samples: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if IMPORTING not in stack:
            samples[stack.rpartition(";")[2] or UNREADABLE] += int(count)
    return samples
