"""Mappings: which value of a foreign record is which field of ours. They travel inside of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt, Tag, model_validator

from jobs.columns import COLUMNS, REQUIRED, Entity
from jobs.mapping_values import (
    A_TABLE,
    FORM,
    DateFormat,
    Delimiter,
    NotEmpty,
    OnePath,
    Path,
    SeveralPaths,
    Word,
    Words,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# What of a post is said by its author's fields, where these are mapped.
AUTHOR_IN_POST = {"author_external_id": "external_id", "author_name": "name"}


class _Table(BaseModel):
    """What TOML writes as a table; an unknown key is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(_Table):
    """Where a field's value comes from: a path into the record, or the same for all records."""

    path: Annotated[OnePath | SeveralPaths, FORM] | None = None
    """Of several, the first that leads to a value."""
    const: Word | StrictInt | None = None
    null: Words = ()
    """Words that mean that there is no value, besides those of the file."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.path is None) == (self.const is None):
            raise ValueError("says either path or const, and not both")
        return self


class Time(Value):
    """Where a time comes from, and how it is written."""

    date: DateFormat | None = None
    """A format of strptime, or the unit of a number since 1970; otherwise ISO 8601 or seconds."""
    zone: Zone | None = None
    """The zone of times that name none; otherwise UTC."""


class Tags(Value):
    """Where tags come from, and how they are written."""

    separator: NotEmpty | None = None
    """What stands between tags in a text."""
    name: Path | None = None
    """Where the name is in each object of a list."""


Said: TypeAlias = Annotated[OnePath | SeveralPaths | Annotated[Value, Tag(A_TABLE)], FORM]
SaidTime: TypeAlias = Annotated[OnePath | SeveralPaths | Annotated[Time, Tag(A_TABLE)], FORM]
SaidTags: TypeAlias = Annotated[OnePath | SeveralPaths | Annotated[Tags, Tag(A_TABLE)], FORM]


class AuthorFields(_Table):
    """The fields of a user that each post carries."""

    external_id: Said
    name: Said | None = None
    email: Said | None = None
    reputation: Said | None = None
    created_at: SaidTime | None = None


class FileForm(_Table):
    """What the file holds, and how it is written where that cannot be told from it."""

    entity: Entity | None = None
    format: Literal["jsonl", "csv", "parquet"] | None = None
    delimiter: Delimiter | None = None
    """What stands between the fields of CSV; a comma unless given."""
    header: Annotated[tuple[NotEmpty, ...], Field(min_length=1, max_length=2_000)] | None = None
    """The names of the columns of a CSV file that does not begin with them."""
    null: Words = ()
    """Words that mean that there is no value, in any field."""

    @property
    def is_csv(self) -> bool:
        """Whether it says what only CSV has."""
        return self.delimiter is not None or self.header is not None

    @model_validator(mode="after")
    def _of_one_format(self) -> Self:
        if self.is_csv and self.format not in {None, "csv"}:
            raise ValueError(f"delimiter and header are for CSV, not for {self.format}; leave them out")
        return self


class FieldMapping(_Table):
    """Where each of our fields is in the records of a file; a text is a path, a list several of them."""

    external_id: Said | None = None
    name: Said | None = None
    email: Said | None = None
    reputation: Said | None = None
    author_external_id: Said | None = None
    author_name: Said | None = None
    parent_external_id: Said | None = None
    kind: Said | None = None
    title: Said | None = None
    content: Said | None = None
    score: Said | None = None
    created_at: SaidTime | None = None
    tags: SaidTags | None = None
    author: AuthorFields | None = None
    """With these a post makes its author too."""
    file: FileForm = FileForm()

    @property
    def named(self) -> frozenset[str]:
        """The fields that are mapped; the author's together are one."""
        return frozenset(name for name in NAMES if getattr(self, name) is not None)

    @property
    def entity(self) -> Entity | None:
        """What the file is said to hold, or what alone has these fields."""
        fitting = [entity for entity in COLUMNS if not self.problem(entity)]
        return fitting[0] if len(fitting) == 1 else None

    def problem(self, entity: Entity) -> str | None:
        """Say why these are not the fields of an entity; None if they are."""
        if self.file.entity not in {None, entity}:
            return f"its file holds {self.file.entity}, not {entity}"
        if foreign := self._foreign(entity):
            return f"{entity} have no field {_listed(foreign)}; they have {_listed(COLUMNS[entity])}"
        if missing := [name for name in REQUIRED[entity] if name not in self.named]:
            return f'{entity} need {_listed(missing)}; write where it is, like {missing[0]} = "path"'
        if twice := [name for name in AUTHOR_IN_POST if name in self.named and self._author_says(name)]:
            return f"author.{AUTHOR_IN_POST[twice[0]]} says {twice[0]} already; leave one of them out"
        return None

    def _foreign(self, entity: Entity) -> list[str]:
        known = {*COLUMNS[entity], "author"} if entity == "posts" else {*COLUMNS[entity]}
        return sorted(self.named - known)

    def _author_says(self, name: str) -> bool:
        return self.author is not None and getattr(self.author, AUTHOR_IN_POST[name]) is not None

    @model_validator(mode="after")
    def _of_an_entity(self) -> Self:
        if all(map(self.problem, COLUMNS)):
            closest = min(COLUMNS, key=lambda entity: len(self._foreign(entity)))
            raise ValueError(self.problem(self.file.entity or closest))
        return self


NAMES = tuple(name for name in FieldMapping.model_fields if name != "file")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
