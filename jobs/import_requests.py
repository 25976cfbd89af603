"""The typed ways to ask for an import, or for the plan of one."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from jobs.columns import Entity
from jobs.keepable import Text
from jobs.mapping import FieldMapping
from jobs.request_values import (
    MOST_RECORDS,
    MOST_RECORDS_BYTES,
    ByteRange,
    Expected,
    FormatChoice,
    MaxRejects,
    Missing,
    QueueName,
    Records,
    SiteName,
    SourceName,
    WriterChoice,
)
from jobs.requests import Request


def dumps_of(site: str) -> str:
    """Give the limit key of the dumps of a site."""
    return f"import_dump {site}"


class ImportRequest(Request):
    """What all imports of files have in common."""

    queue: ClassVar[QueueName] = "bulk"
    site: SiteName
    """Where the records come from; with their own ids it makes the natural key."""
    format: FormatChoice = "auto"
    writer: WriterChoice = "auto"
    mapping: FieldMapping | None = None
    """Where our fields are in records of another shape; None if they have our names."""
    max_rejects: MaxRejects | None = None
    """Fail, before it is committed, at a batch with which more records than this would have been rejected.

    Parts of an import that was split count all its rejects together.
    """
    snapshot: bool = False
    """Make the site equal to the files, as far as they hold such entities: what they lack is `missing`."""
    missing: Missing = "delete"
    """What becomes of rows that the snapshot lacks: nothing, a mark, or they are deleted."""
    force: bool = False
    """Delete or mark them also where the snapshot lacks so much that it looks cut off."""


class _ImportFile(ImportRequest):
    url: Text
    """Path of a file that the worker can read."""
    byte_range: ByteRange | None = None
    """Load only this piece, and leave links between posts to `LinkPosts`; that is how a file is split."""
    entity: ClassVar[Entity]

    @model_validator(mode="after")
    def _mapped_to_its_entity(self) -> Self:
        if self.mapping and (problem := self.mapping.problem(self.entity)):
            raise ValueError(f"mapping: {problem}")
        return self

    @property
    def limit_key(self) -> str:
        """Count a snapshot of one file with the dumps of its site."""
        return dumps_of(self.site) if self.limit_count else super().limit_key

    @property
    def limit_count(self) -> int | None:
        """Let one snapshot of a site be loaded at a time; a piece is counted with its whole."""
        return 1 if self.snapshot and self.byte_range is None else None


class ImportUsers(_ImportFile):
    """Load one file of users."""

    job: ClassVar[str] = "import_users"
    entity: ClassVar[Entity] = "users"


class ImportPosts(_ImportFile):
    """Load one file of posts; their authors may come later."""

    job: ClassVar[str] = "import_posts"
    entity: ClassVar[Entity] = "posts"


class ImportTags(_ImportFile):
    """Load one file of tags."""

    job: ClassVar[str] = "import_tags"
    entity: ClassVar[Entity] = "tags"


class ImportDump(ImportRequest):
    """Load several files, or the Users, Tags and Posts files of folders, in that order, as one run.

    Of a site, one dump is loaded at a time: the later one has the last word.
    """

    job: ClassVar[str] = "import_dump"
    at_once: ClassVar[int | None] = 1
    urls: Annotated[tuple[Text, ...], Field(min_length=1)]
    source: SourceName | None = None
    """The name of a source that is imported again and again; what is unchanged is not loaded again."""
    expect: Expected = {}  # noqa: RUF012 - pydantic copies it for each request
    """How many records of users, posts and tags must be read at least; else the run fails."""
    split: bool = False
    """Cut the files into ranges, each loaded by a run of its own: users' and tags' first, then posts'.

    Links and statistics follow when all have succeeded.
    """

    @model_validator(mode="after")
    def _counted_as_a_whole(self) -> Self:
        if self.split and (self.source or self.expect):
            raise ValueError("source and expect are for an import that is not split: no part sees all of it")
        return self

    @property
    def limit_key(self) -> str:
        """Count the dumps of one site."""
        return dumps_of(self.site)


class ImportRecords(Request):
    """Load the users, tags and posts that the request itself carries, in that order.

    Their fields are those of JSON Lines. Together they are at most 1,000 records and 1 MiB of JSON.
    """

    job: ClassVar[str] = "import_records"
    site: SiteName
    users: Records = ()
    posts: Records = ()
    tags: Records = ()
    writer: WriterChoice = "auto"

    @model_validator(mode="after")
    def _small(self) -> Self:
        lists = {"users": self.users, "posts": self.posts, "tags": self.tags}
        how_many = sum(map(len, lists.values()))
        if not 0 < how_many <= MOST_RECORDS:
            raise ValueError(f"holds {how_many:,} records; 1 to {MOST_RECORDS:,} are allowed, more in a file")
        size = len(json.dumps(lists, ensure_ascii=False, separators=(",", ":")).encode())
        if size > MOST_RECORDS_BYTES:
            raise ValueError(f"holds {size:,} bytes; {MOST_RECORDS_BYTES:,} are allowed, more in a file")
        return self


class PlanImport(ImportRequest):
    """Say what an import of files would do: what is new, changed or gone, and whose figures move.

    Nothing is written but the run's result.
    """

    job: ClassVar[str] = "plan_import"
    urls: Annotated[tuple[Text, ...], Field(min_length=1)]
