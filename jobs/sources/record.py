"""What a source yields: typed records, or what could not be made one, each knowing where it stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Entity = Literal["users", "posts", "tags"]
Format = Literal["stackexchange", "jsonl", "csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a record stood: byte offsets into the (decompressed) file; reading goes on at `end`."""

    offset: int
    end: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Span):
    """A record that can be loaded; `repairs` counts characters that had to be replaced to keep it."""

    repairs: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord(Record):
    """A user as its site knows them."""

    external_id: str
    name: str | None = None
    email: str | None = None
    reputation: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRecord(Record):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRecord(Record):
    """A tag, known by its name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord(Span):
    """Bytes that are no loadable record: which rule they break and, in words, how."""

    rule: str
    reason: str
