"""The fields of each entity and their rules: from a source's values to a typed record or a broken rule."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from msgspec.structs import replace

from jobs.columns import COLUMNS
from jobs.sources.errors import UnloadableError
from jobs.sources.record import PostRecord, TagRecord, UserRecord
from jobs.sources.values import TAG_CHARS, identifier, integer, moment, tag_names, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobs.sources.mapped import Mapped
    from jobs.sources.record import Entity

NAME_CHARS = 255
EMAIL_CHARS = 320
TITLE_CHARS = 1000
KIND_CHARS = 32
SCORE_BITS = 32  # sums of scores must fit 64 bits
REPUTATION_BITS = 64
# How many characters a record took to repair, and the names of its unknown fields.
Took: TypeAlias = tuple[int, tuple[str, ...]]
PLAIN: Took = (0, ())
POST_VALUES = len(COLUMNS["posts"])


def user(values: Sequence[object], offset: int, end: int, raw: bytes, took: Took = PLAIN) -> UserRecord:
    """Make a user of its values, in the order of COLUMNS; raise UnloadableError if it breaks a rule."""
    external_id, name, email, reputation, created_at = values
    return UserRecord(
        offset=offset,
        end=end,
        raw=raw,
        repairs=took[0],
        unknown=took[1],
        external_id=identifier("external_id", external_id) or missing("external_id"),
        name=text("name", name, NAME_CHARS),
        email=text("email", email, EMAIL_CHARS),
        reputation=integer("reputation", reputation, REPUTATION_BITS) or 0,
        created_at=moment("created_at", created_at),
    )


def post(values: Sequence[object], offset: int, end: int, raw: bytes, took: Took = PLAIN) -> PostRecord:
    """Make a post of its values, in the order of COLUMNS; raise UnloadableError if it breaks a rule."""
    external_id, author_id, author_name, parent_id, kind, title, content, score, created_at, tags = values
    return PostRecord(
        offset=offset,
        end=end,
        raw=raw,
        repairs=took[0],
        unknown=took[1],
        external_id=identifier("external_id", external_id) or missing("external_id"),
        created_at=moment("created_at", created_at) or missing("created_at"),
        author_external_id=None if author_id is None else identifier("author_external_id", author_id),
        author_name=None if author_name is None else text("author_name", author_name, NAME_CHARS),
        parent_external_id=None if parent_id is None else identifier("parent_external_id", parent_id),
        kind=text("kind", kind, KIND_CHARS) or "post",
        title=None if title is None else text("title", title, TITLE_CHARS),
        content=text("content", content),
        score=integer("score", score, SCORE_BITS) or 0,
        tags=tag_names("tags", tags) if tags else (),
    )


def tag(values: Sequence[object], offset: int, end: int, raw: bytes, took: Took = PLAIN) -> TagRecord:
    """Make a tag of its values, in the order of COLUMNS; raise UnloadableError if it breaks a rule."""
    name = text("name", values[0])
    name = text("name", name and name.strip(), TAG_CHARS) or missing("name")
    return TagRecord(offset=offset, end=end, raw=raw, repairs=took[0], unknown=took[1], name=name)


def post_and_author(
    unsaid: tuple[str, ...], values: Sequence[object], offset: int, end: int, raw: bytes, took: Took = PLAIN
) -> PostRecord:
    """Make a post that carries its author, whose values follow its own; `unsaid` are fields of theirs.

    Raises:
        UnloadableError: it or its author breaks a rule.

    """
    made = post(values[:POST_VALUES], offset, end, raw, took)
    if made.author_external_id is None:
        return made
    try:
        author = user(values[POST_VALUES:], offset, end, raw)
    except UnloadableError as error:
        raise UnloadableError(error.rule, f"author.{error.reason}") from error
    return replace(made, author=replace(author, unsaid=unsaid))


def missing(field: str) -> NoReturn:
    """Raise UnloadableError because a field is absent that no record can do without."""
    raise UnloadableError("missing", f"{field} is missing")


MAKERS: dict[Entity, Callable[..., UserRecord | PostRecord | TagRecord]] = {
    "users": user,
    "posts": post,
    "tags": tag,
}


def maker_of(entity: Entity, mapping: Mapped | None) -> Callable[..., UserRecord | PostRecord | TagRecord]:
    """Give what makes records of their values."""
    if mapping and mapping.makes_author:
        return partial(post_and_author, mapping.unsaid)
    return MAKERS[entity]
