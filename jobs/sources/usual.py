"""Posts as nearly all are: msgspec looks at types and lengths, and only what is rare goes by its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import Meta, defstruct
from msgspec.structs import astuple

from jobs.columns import COLUMNS, NOT_READ
from jobs.sources.fields import KIND_CHARS, MAKERS, NAME_CHARS, PLAIN, SCORE_BITS, TITLE_CHARS, missing
from jobs.sources.record import PostRecord
from jobs.sources.values import ID_CHARS, TAG_CHARS, distinct, identifier, integer, moment, tag_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.sources.fields import Took
    from jobs.sources.record import Entity, Item

Id = Annotated[str, Meta(max_length=ID_CHARS)] | int
Name = Annotated[str, Meta(max_length=NAME_CHARS)]
Kind = Annotated[str, Meta(max_length=KIND_CHARS)]
Title = Annotated[str, Meta(max_length=TITLE_CHARS)]
Score = Annotated[int, Meta(ge=-(1 << SCORE_BITS - 1), lt=1 << SCORE_BITS - 1)] | str
Tag = Annotated[str, Meta(max_length=TAG_CHARS)]
POST: dict[str, Any] = {
    "external_id": Id,
    "author_external_id": Id | None,
    "author_name": Name | None,
    "parent_external_id": Id | None,
    "kind": Kind | None,
    "title": Title | None,
    "content": str | None,
    "score": Score | None,
    "created_at": str | int | float,
    "tags": tuple[Tag, ...] | str | None,
}


class Usual(NamedTuple):
    """The values of a usual record, as a type that msgspec can decode, and what makes the record of them.

    No text in them may hold U+0000. Making raises UnloadableError if a rule is broken.
    """

    values: type[Any]
    make: Callable[..., Item]


def usual(entity: Entity, *, as_array: bool = False) -> Usual:
    """Give what is usual of an entity: objects of no other fields, or arrays in the order of COLUMNS."""
    types = POST if entity == "posts" else dict.fromkeys(COLUMNS[entity], object)
    names = COLUMNS[entity] if as_array else (*COLUMNS[entity], *NOT_READ)
    values = defstruct(
        entity,
        [(name, types.get(name, object), None) for name in names],
        array_like=as_array,
        forbid_unknown_fields=not as_array,
        gc=False,
    )
    return Usual(values, post if entity == "posts" else _by_all_rules(entity))


def post(said: Any, offset: int, end: int, raw: bytes, took: Took = PLAIN) -> PostRecord:
    """Make a post of values of these types; raise UnloadableError if it breaks a rule."""
    external_id, author_id, parent_id = said.external_id, said.author_external_id, said.parent_external_id
    score, tags = said.score, said.tags
    # What nearly all values are is asked here, as calls are most of what this costs.
    if not (isinstance(external_id, str) and external_id.isalnum()):
        external_id = identifier("external_id", external_id) or missing("external_id")
    if author_id is not None and not (isinstance(author_id, str) and author_id.isalnum()):
        author_id = identifier("author_external_id", author_id)
    if parent_id is not None and not (isinstance(parent_id, str) and parent_id.isalnum()):
        parent_id = identifier("parent_external_id", parent_id)
    if not isinstance(score, int):
        score = integer("score", score, SCORE_BITS) or 0
    if tags:
        tags = distinct(tags) if isinstance(tags, tuple) else tag_names("tags", tags)
    return PostRecord(
        offset=offset,
        end=end,
        raw=raw,
        repairs=took[0],
        unknown=took[1],
        external_id=external_id,
        created_at=moment("created_at", said.created_at) or missing("created_at"),
        author_external_id=author_id,
        author_name=said.author_name,
        parent_external_id=parent_id,
        kind=said.kind or "post",
        title=said.title,
        content=said.content,
        score=score,
        tags=tags or (),
    )


def _by_all_rules(entity: Entity) -> Callable[..., Item]:
    columns, make = len(COLUMNS[entity]), MAKERS[entity]

    def made(said: Any, offset: int, end: int, raw: bytes, took: Took = PLAIN) -> Item:
        return make(astuple(said)[:columns], offset, end, raw, took)

    return made
