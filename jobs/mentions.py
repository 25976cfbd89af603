"""What posts mention, before anybody looks it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.sources.record import PostRecord


@dataclass(frozen=True, slots=True)
class Mentions:
    """The external ids and the names of tags that posts mention; whoever reads ahead can find them out."""

    ids: list[str]
    are_distinct: bool
    tags: set[str]
    authors: set[str]
    parents: set[str]
    """Those that are not among the posts."""
    carry_authors: bool

    @classmethod
    def of(cls, records: Sequence[PostRecord]) -> Self:
        """Go through posts."""
        ids = [r.external_id for r in records]
        return cls(
            ids,
            len(set(ids)) == len(ids),
            {name for r in records for name in r.tags},
            {r.author_external_id for r in records if r.author_external_id},
            {r.parent_external_id for r in records if r.parent_external_id}.difference(ids),
            any(r.author for r in records),
        )
