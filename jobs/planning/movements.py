"""Whose figures an import would move, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

# Beyond so many authors, those who come new are not counted any more.
MOST_AUTHORS = 200_000
# An author's primary key; of one who would be inserted the external id; None of nobody.
Author: TypeAlias = int | str | None


class Change(NamedTuple):
    """By how much the posts of an author change in number and in total score."""

    author: int | str
    posts: int
    total_score: int


@dataclass(slots=True)
class Movements:
    """The changes of all authors, as long as these are not too many: `are_all` tells."""

    are_all: bool = True
    _changes: dict[int | str, list[int]] = field(default_factory=dict)

    def add(self, author: Author, posts: int, score: int) -> None:
        """Count posts of an author with their score; negative where they go."""
        if author is None:
            return
        change = self._changes.get(author)
        if change is None:
            if len(self._changes) >= MOST_AUTHORS:
                self.are_all = False
                return
            change = self._changes[author] = [0, 0]
        change[0] += posts
        change[1] += score

    def move(self, before: tuple[Author, int] | None, after: tuple[Author, int] | None) -> None:
        """Count a post that is new, or had another author or score: none stands for no post."""
        if before == after:
            return
        if before is not None:
            self.add(before[0], -1, -before[1])
        if after is not None:
            self.add(after[0], 1, after[1])

    def count(self) -> int:
        """Count the authors with other figures."""
        return sum(any(change) for change in self._changes.values())

    def largest(self, how_many: int) -> list[Change]:
        """Give the largest changes: by score, then by posts."""
        moved = [Change(author, *change) for author, change in self._changes.items() if any(change)]
        moved.sort(key=lambda one: (-abs(one.total_score), -abs(one.posts), str(one.author)))
        return moved[:how_many]
