"""A proposed mapping, with the reason for each line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.columns import REQUIRED
from jobs.mapping import FieldMapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.sources.observed import Observed
    from jobs.sources.record import Entity


class Line(NamedTuple):
    """One field of a proposal: what the mapping says of it, and why."""

    key: str
    said: Any
    why: str


@dataclass(slots=True)
class Proposal:
    """A proposed mapping, line by line, and what is in the file besides."""

    path: Path
    entity: Entity
    form: dict[str, Any]
    records: int
    lines: list[Line] = field(default_factory=list)
    left: list[Observed] = field(default_factory=list)
    loadable: int = 0
    """How many of the records it was made of can be loaded by it."""

    @property
    def missing(self) -> list[str]:
        """The fields that nothing was found for and no record can do without."""
        found = {line.key for line in self.lines}
        return [name for name in REQUIRED[self.entity] if name not in found]

    @property
    def mapping(self) -> FieldMapping:
        """The mapping that the lines are; only if none is missing."""
        said: dict[str, Any] = {"file": self.form}
        for line in self.lines:
            table, _, name = line.key.rpartition(".")
            (said.setdefault(table, {}) if table else said)[name] = line.said
        return FieldMapping.model_validate(said)


def written(path: Sequence[str]) -> str:
    """Write a path as a mapping has it."""
    return ".".join(f'"{step}"' if "." in step else step for step in path)
