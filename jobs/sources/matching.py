"""Which field of a file is which of ours, by what it is called and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.columns import COLUMNS
from jobs.mapping import AUTHOR_IN_POST
from jobs.sources.names import AUTHOR_ID, AUTHOR_OBJECT, NAMES, TAG_NAME
from jobs.sources.observed import GONE_WORDS, plain
from jobs.sources.proposal import Line, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.sources.observed import Looks, Observed
    from jobs.sources.proposal import Proposal

KINDS: dict[str, tuple[Looks, ...]] = {
    "external_id": ("number", "text"),
    "author_external_id": ("number", "text"),
    "parent_external_id": ("number", "text"),
    "reputation": ("number",),
    "score": ("number",),
    "tags": ("names", "objects", "text"),
}
TEXT: tuple[Looks, ...] = ("text", "number", "mixed")
LONG_TEXT_CHARS = 60
SEPARATORS = (",", ";")


class Matching:
    """Finds for each of our fields the field of the file that is called, and looks, most like it."""

    def __init__(self, fields: Sequence[Observed], proposal: Proposal) -> None:
        self.own = [seen for seen in fields if not self._is_author(seen)]
        self.author = [seen for seen in fields if self._is_author(seen)]
        self.taken: list[Observed] = []
        self.proposal = proposal

    def _is_author(self, seen: Observed) -> bool:
        return any(plain(step) in AUTHOR_OBJECT for step in seen.path[:-1])

    def run(self) -> None:
        """Match the fields of the entity, those of an author too, and keep what is left."""
        entity = self.proposal.entity
        for name in COLUMNS[entity]:
            if name not in AUTHOR_IN_POST:
                ids = AUTHOR_ID if (entity, name) == ("users", "external_id") else ()
                self._match(name, name, self.own, ids)
        if entity == "posts":
            self._match_author()
        self.proposal.left = [seen for seen in (*self.own, *self.author) if seen not in self.taken]

    def _match_author(self) -> None:
        if self._match("author.external_id", "external_id", self.author, AUTHOR_ID):
            for name in COLUMNS["users"][1:]:
                self._match(f"author.{name}", name, self.author)
            return
        named = self._match("author.external_id", "author_external_id", self.own)
        if named and not self._match("author.name", "author_name", self.own):
            self._put("author.name", "author_name", named, "the same, as nothing else is called their name")

    def _match(
        self, key: str, name: str, among: Sequence[Observed], names: Sequence[str] = ()
    ) -> Observed | None:
        wanted = names or NAMES[name]
        called = [seen for seen in among if seen.name in wanted and self._can_be(name, seen)]
        if called:
            nearest = min(called, key=lambda seen: (len(seen.path), wanted.index(seen.name)))
            return self._put(key, name, nearest, "by its name")
        found = next((seen for seen in self.own if key == name and self._must_be(name, seen)), None)
        return found and self._put(key, name, found, "by its values")

    def _can_be(self, name: str, seen: Observed) -> bool:
        if seen in self.taken or not seen.values or not seen.can_be_written:
            return False
        if name == "created_at":
            return seen.date() is not None
        return seen.looks in KINDS.get(name, TEXT)

    def _must_be(self, name: str, seen: Observed) -> bool:
        """Tell by its values alone: a key of texts or numbers, a written date, long text."""
        if not self._can_be(name, seen):
            return False
        if name == "external_id":
            return seen.is_key and max(len(str(value)) for value in seen.values) < LONG_TEXT_CHARS
        if name == "created_at":
            return seen.looks in {"text", "time"} and seen.is_everywhere
        lengths = [len(str(value)) for value in seen.values]
        return name == "content" and sum(lengths) > LONG_TEXT_CHARS * len(lengths)

    def _put(self, key: str, name: str, seen: Observed, why: str) -> Observed:
        said, how = _said(name, seen)
        self.taken.append(seen)
        self.proposal.lines.append(Line(key, said, f"{why}{how}, like {seen.example}"))
        return seen


def _said(name: str, seen: Observed) -> tuple[Any, str]:
    """Give what a mapping says of a field, and words about it."""
    said: dict[str, Any] = {"path": written(seen.path)}
    how = ""
    if gone := [word for word in seen.nulls if word in GONE_WORDS and name != "content"]:
        said["null"] = gone
    if name == "created_at" and (date := seen.date()):
        said["date"] = date
        other = seen.also_written(date)
        how = f" (or is it {other}?)" if other else ""
    elif name == "tags":
        said |= _tag_form(seen)
    return (said if len(said) > 1 else said["path"]), how


def _tag_form(seen: Observed) -> dict[str, Any]:
    if seen.looks == "objects":
        keys = [key for value in seen.values for each in value for key in each]
        named = min(keys, key=lambda key: (*TAG_NAME, plain(key)).index(plain(key)), default=None)
        return {"name": written([named])} if named else {}
    texts = [value for value in seen.values if isinstance(value, str)]
    if any("|" in value or value.startswith("<") for value in texts):
        return {}
    separator = next((each for each in SEPARATORS if any(each in value for value in texts)), None)
    return {"separator": separator} if separator else {}
