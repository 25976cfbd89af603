"""What is compared with what, and the targets."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.loading.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.loading.stage import Took

Results = dict[str, list["Took"]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A target for a number."""

    number: float
    is_least: bool

    def met_by(self, found: float) -> bool:
        """Tell whether a number reaches it."""
        return found >= self.number if self.is_least else found <= self.number

    def missed_by(self, found: float) -> float:
        """Tell by which share of the target a number misses it."""
        return abs(found - self.number) / self.number


def at_least(number: float) -> Bound:
    """Want no less."""
    return Bound(number, is_least=True)


def at_most(number: float) -> Bound:
    """Want no more."""
    return Bound(number, is_least=False)


@dataclass(frozen=True, slots=True)
class Measure:
    """Two figures of the same repeats; their ratio is one of speeds, or of times if the bound is at most."""

    name: str
    ours: str
    theirs: str
    bound: Bound | None = None

    @property
    def is_of_times(self) -> bool:
        """Tell whether ours is to be a part of their time, rather than a multiple of their speed."""
        return self.bound is not None and not self.bound.is_least

    def ratios(self, results: Mapping[str, Sequence[Took]]) -> list[float]:
        """Divide within each repeat."""
        pairs = zip(results[self.ours], results[self.theirs], strict=True)
        times = [ours.seconds / theirs.seconds for ours, theirs in pairs]
        return times if self.is_of_times else [1 / ratio for ratio in times]


PEER_TARGETS = {"dlt": at_least(15), "dlt-csv": at_least(15), "polars": at_least(2)}
MEASURES = (
    Measure("psql", "copy", "psql", at_least(0.9)),
    Measure("psql", "copy-2", "psql", at_least(1.3)),
    Measure("psql", "copy", "psql-posts"),
    *(Measure("peers", "copy", peer.figure, PEER_TARGETS.get(peer.figure)) for peer in PEERS),
    Measure("xml", "xml", "lxml", at_least(1)),
    Measure("add_all", "add_all", "bare", at_least(0.9)),
    Measure("processes", "copy-2", "copy", at_least(1.7)),
    Measure("processes", "add_all-2", "add_all", at_least(1.7)),
    Measure("export", "export", "psql-export", at_least(0.5)),
    Measure("statistics", "rebuild", "group-by", at_most(1.3)),
    Measure("statistics", "refresh", "rebuild", at_most(0.05)),
    Measure("again", "again", "copy", at_least(3)),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measure in words, what was found, and what became of its target."""

    says: str
    found: str
    wanted: str
    outcome: str


def judge(says: str, found: float, shown: str, bound: Bound | None, unit: str = "times") -> Verdict:
    """Hold a number against its target."""
    if bound is None:
        return Verdict(says, shown, "", "")
    wanted = f"{'≥' if bound.is_least else '≤'} {bound.number:g} {unit}"
    outcome = "met" if bound.met_by(found) else f"**missed by {bound.missed_by(found):.0%}**"
    return Verdict(says, shown, wanted, outcome)


def verdicts(results: Results, titles: Mapping[str, str]) -> Iterator[Verdict]:
    """Judge all measures whose figures are there."""
    for measure in MEASURES:
        if measure.ours in results and measure.theirs in results:
            ratios = measure.ratios(results)
            ratio = median(ratios)
            shown = f"{_short(ratio)} times ({_short(min(ratios))} to {_short(max(ratios))})"
            kind = "time" if measure.is_of_times else "speed"
            says = f"{titles[measure.ours]} | {kind} of {titles[measure.theirs]}"
            yield judge(says, ratio, shown, measure.bound)


def _short(ratio: float) -> str:
    return f"{ratio:.3g}"
