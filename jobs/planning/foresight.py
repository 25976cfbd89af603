"""What a plan knows while it goes through the files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.planning.movements import Movements
from models.dialect import MYSQL, dialect_of
from models.tag_names import TagNames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.planning.foreseen import Foreseen
    from jobs.sources.record import Entity


@dataclass(slots=True)
class Foresight:
    """The tables as they are (`session`, which only reads) and as the records so far would make them."""

    session: AsyncSession
    site: str
    foreseen: Foreseen
    movements: Movements = field(default_factory=Movements)
    met: Counter[str] = field(default_factory=Counter)
    """How many of the stored rows of each entity the files have."""
    met_marked: Counter[str] = field(default_factory=Counter)
    """How many of these a snapshot has marked as missing."""
    tag_names: TagNames = field(init=False)

    def __post_init__(self) -> None:
        self.tag_names = TagNames(self.session)

    def meet(self, entity: Entity, met: Mapping[str, tuple[int, Sequence[Any]]], marked_at: int) -> None:
        """Count stored rows that the files are seen to have; the mark stands at a place of their values."""
        self.met[entity] += len(met)
        self.met_marked[entity] += sum(values[marked_at] is not None for _, values in met.values())

    @property
    def has_keys_before_insert(self) -> bool:
        """Whether a post can refer to one that is inserted with it, as the writers let it."""
        return dialect_of(self.session) not in MYSQL
