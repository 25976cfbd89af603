"""A loaded row as one JSON document, made by the database itself: its contents never travel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal_column, select

from models.base import Json, UtcDateTime
from models.tag import Tag, post_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Table

    from models.post import Post
    from models.user import User

# The primary key is kept beside it, the other two follow from the ids of the site.
LEFT_OUT = ("id", "author_id", "parent_id")
GONE = "gone"
TAGS = "tags"
OBJECT = {"postgresql": "json_build_object"}
ARRAY = {"postgresql": "json_agg", "sqlite": "json_group_array"}


def kept_columns(table: Table) -> Sequence[str]:
    """Name the columns that a document of a row of the table has."""
    return [column.name for column in table.c if column.name not in LEFT_OUT]


def row_document(dialect: str, model: type[User | Post | Tag], *, gone: bool = False) -> ColumnElement[Any]:
    """Select a row as a document: its columns, the names of a post's tags, and whether it is `gone`."""
    table: Any = model.__table__
    values = {name: table.c[name] for name in kept_columns(table)}
    if table.name == "posts":
        values[TAGS] = _tags(dialect, table)
    values[GONE] = literal_column(str(int(gone)))
    pairs: list[Any] = []
    for name, value in values.items():
        pairs += literal_column(f"'{name}'"), value
    document: ColumnElement[Any] = getattr(func, OBJECT.get(dialect, "json_object"))(*pairs, type_=Json)
    return document


def _tags(dialect: str, posts: Table) -> ColumnElement[Any]:
    collected = getattr(func, ARRAY.get(dialect, "json_arrayagg"))(Tag.name)
    tagged = select(collected).join(post_tags, post_tags.c.tag_id == Tag.id)
    names = tagged.where(post_tags.c.post_id == posts.c.id).correlate(posts).scalar_subquery()
    # What comes out of a subquery is a mere text to databases that keep JSON as text.
    return names if dialect == "postgresql" else func.json_extract(names, literal_column("'$'"))


def values_of(document: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Read the values of the kept columns out of a document."""
    return {name: _value(document[name], table.c[name].type) for name in kept_columns(table)}


def _value(value: Any, type_: Any) -> Any:
    """Read a value: times are texts, without a zone where the database has none and keeps UTC."""
    if value is None or not isinstance(type_, UtcDateTime):
        return value
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
