"""What a source yields: typed records, or what could not be made one, each knowing where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from jobs.columns import Entity

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["BadRecord", "Entity", "Format", "Item", "PostRecord", "Record", "Span", "TagRecord", "UserRecord"]

Format = Literal["stackexchange", "jsonl", "csv", "parquet"]


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a record stood: byte offsets into the unpacked file, or row numbers; reading goes on at `end`.

    `raw` is the first 64 KiB of its bytes, of a row of Parquet as JSON.
    """

    offset: int
    end: int
    raw: bytes


class Record(Span, frozen=True, kw_only=True):
    """A record that can be loaded; `repairs` counts characters that had to be replaced to keep it."""

    repairs: int = 0
    unknown: tuple[str, ...] = ()


class UserRecord(Record, frozen=True, kw_only=True):
    """A user as its site knows them."""

    external_id: str
    name: str | None = None
    email: str | None = None
    reputation: int = 0
    created_at: datetime | None = None
    unsaid: tuple[str, ...] = ()
    """Fields that nothing was said about, so that what is stored of them stays."""


class PostRecord(Record, frozen=True, kw_only=True):
    """A post; its author and parent are named by the site's own ids."""

    external_id: str
    created_at: datetime
    author_external_id: str | None = None
    author_name: str | None = None
    parent_external_id: str | None = None
    kind: str = "post"
    title: str | None = None
    content: str | None = None
    score: int = 0
    tags: tuple[str, ...] = ()
    author: UserRecord | None = None
    """The author, where the post carries one and not only an id."""


class TagRecord(Record, frozen=True, kw_only=True):
    """A tag, known by its name."""

    name: str


class BadRecord(Span, frozen=True, kw_only=True):
    """Bytes that are no loadable record: which rule they break and, in words, how."""

    rule: str
    reason: str


Item: TypeAlias = UserRecord | PostRecord | TagRecord | BadRecord
