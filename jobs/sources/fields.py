"""The fields of each entity and their rules: from a source's values to a typed record or a broken rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, TypeVar

from jobs.sources.errors import UnloadableError
from jobs.sources.record import PostRecord, TagRecord, UserRecord
from jobs.sources.values import TAG_CHARS, identifier, integer, moment, tag_names, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobs.sources.record import Entity

NAME_CHARS = 255
EMAIL_CHARS = 320
TITLE_CHARS = 1000
KIND_CHARS = 32
SCORE_BITS = 32  # sums of scores must fit 64 bits
REPUTATION_BITS = 64
Value = TypeVar("Value")


class Where(TypedDict):
    """What every record says besides its own fields."""

    offset: int
    end: int
    raw: bytes
    repairs: int
    unknown: tuple[str, ...]


def user(values: Mapping[str, object], where: Where) -> UserRecord:
    """Make a user of its values by field name; raise UnloadableError if it breaks a rule."""
    get = values.get
    return UserRecord(
        **where,
        external_id=required("external_id", identifier("external_id", get("external_id"))),
        name=text("name", get("name"), NAME_CHARS),
        email=text("email", get("email"), EMAIL_CHARS),
        reputation=integer("reputation", get("reputation"), REPUTATION_BITS) or 0,
        created_at=moment("created_at", get("created_at")),
    )


def post(values: Mapping[str, object], where: Where) -> PostRecord:
    """Make a post of its values by field name; raise UnloadableError if it breaks a rule."""
    get = values.get
    return PostRecord(
        **where,
        external_id=required("external_id", identifier("external_id", get("external_id"))),
        created_at=required("created_at", moment("created_at", get("created_at"))),
        author_external_id=identifier("author_external_id", get("author_external_id")),
        author_name=text("author_name", get("author_name"), NAME_CHARS),
        parent_external_id=identifier("parent_external_id", get("parent_external_id")),
        kind=text("kind", get("kind"), KIND_CHARS) or "post",
        title=text("title", get("title"), TITLE_CHARS),
        content=text("content", get("content")),
        score=integer("score", get("score"), SCORE_BITS) or 0,
        tags=tag_names("tags", get("tags")),
    )


def tag(values: Mapping[str, object], where: Where) -> TagRecord:
    """Make a tag of its values by field name; raise UnloadableError if it breaks a rule."""
    name = text("name", values.get("name"))
    return TagRecord(**where, name=required("name", text("name", name and name.strip(), TAG_CHARS) or None))


def required(field: str, value: Value | None) -> Value:
    """Give the value back; raise UnloadableError if it is absent."""
    if value is None:
        raise UnloadableError("missing", f"{field} is missing")
    return value


MAKERS: dict[Entity, Callable[[Mapping[str, object], Where], UserRecord | PostRecord | TagRecord]] = {
    "users": user,
    "posts": post,
    "tags": tag,
}

# The columns of our own exports, which JSON Lines and CSV files use; `site` is written by them and not read.
COLUMNS: dict[Entity, tuple[str, ...]] = {
    "users": ("external_id", "name", "email", "reputation", "created_at"),
    "posts": (
        "external_id",
        "author_external_id",
        "author_name",
        "parent_external_id",
        "kind",
        "title",
        "content",
        "score",
        "created_at",
        "tags",
    ),
    "tags": ("name",),
}
NOT_READ = ("site",)
REQUIRED: dict[Entity, tuple[str, ...]] = {
    "users": ("external_id",),
    "posts": ("external_id", "created_at"),
    "tags": ("name",),
}
