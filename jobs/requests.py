"""The typed ways to ask for a job. A request is a frozen value; its class names the job."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobs.columns import Entity
from jobs.keepable import Text
from jobs.mapping import FieldMapping
from jobs.request_values import (
    COMPRESSION_ENDINGS,
    MOST_RECORDS,
    MOST_RECORDS_BYTES,
    ByteRange,
    Expected,
    ExportEntity,
    ExportFormat,
    FormatChoice,
    MaxRejects,
    Missing,
    QueueName,
    Records,
    SiteName,
    SourceName,
    WriterChoice,
)


def dumps_of(site: str) -> str:
    """Give the limit key of the dumps of a site."""
    return f"import_dump {site}"


class Request(BaseModel):
    """Asks for one run of the job named by `job`; an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    job: ClassVar[str]
    queue: ClassVar[QueueName] = "default"
    """Where the run waits; workers keep slots for each queue, so that bulk work holds up nothing else."""
    at_once: ClassVar[int | None] = None
    """How many runs with one `limit_key` may be running, on all workers together; None means any number."""

    @property
    def limit_key(self) -> str:
        """Say together with which other runs this one is counted."""
        return self.job

    @property
    def limit_count(self) -> int | None:
        """Say how many of them may be running."""
        return self.at_once

    def document(self) -> dict[str, Any]:
        """Give what the ledger keeps: the fields that are not at their defaults.

        A field that a later version adds travels only where it is used, so that workers of both versions
        read the same requests while one replaces the other.
        """
        return self.model_dump(mode="json", exclude_defaults=True)


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
    expect: Expected = {}
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


class ReplayRejects(Request):
    """Load the rejects of a run once more that are still open: all of them, or those that broke one rule."""

    job: ClassVar[str] = "replay_rejects"
    queue: ClassVar[QueueName] = "bulk"
    at_once: ClassVar[int | None] = 1
    run: UUID
    """The run whose rejects they are; of one that was split, those of its parts too."""
    rule: Annotated[Text, StringConstraints(min_length=1, max_length=32)] | None = None
    writer: WriterChoice = "auto"
    mapping: FieldMapping | None = None
    """Read them by this mapping, in the place of the one that the import had."""

    @property
    def limit_key(self) -> str:
        """Count the replays of one run."""
        return f"{self.job} {self.run}"


class PlanImport(ImportRequest):
    """Say what an import of files would do: what is new, changed or gone, and whose figures move.

    Nothing is written but the run's result.
    """

    job: ClassVar[str] = "plan_import"
    urls: Annotated[tuple[Text, ...], Field(min_length=1)]


class VerifyRun(Request):
    """Hold what an import says of itself against its files, and both against the tables."""

    job: ClassVar[str] = "verify_run"
    queue: ClassVar[QueueName] = "bulk"
    run: UUID


class VerifySite(Request):
    """Count the rows of a site and add up their digests, so that two databases can be compared."""

    job: ClassVar[str] = "verify_site"
    queue: ClassVar[QueueName] = "bulk"
    site: SiteName


class LinkPosts(Request):
    """Link the posts of a site to authors and parents that arrived after them; imports do so at their end."""

    job: ClassVar[str] = "link_posts"
    queue: ClassVar[QueueName] = "bulk"
    site: SiteName


class SweepSite(Request):
    """Delete or mark what a snapshot lacks; the last part of one that was split, and of no use by itself."""

    job: ClassVar[str] = "sweep_site"
    queue: ClassVar[QueueName] = "bulk"
    site: SiteName
    entities: Annotated[tuple[Entity, ...], Field(min_length=1)]
    missing: Missing = "delete"
    force: bool = False


class RevertRun(Request):
    """Undo what the latest import of a site inserted, updated and deleted."""

    job: ClassVar[str] = "revert_run"
    queue: ClassVar[QueueName] = "bulk"
    at_once: ClassVar[int | None] = 1
    run: UUID


class RefreshAuthorStats(Request):
    """Compute the statistics of the authors that are marked stale."""

    job: ClassVar[str] = "refresh_author_stats"
    at_once: ClassVar[int | None] = 1


class RebuildAuthorStats(Request):
    """Compute the statistics of all authors and report how many had drifted."""

    job: ClassVar[str] = "rebuild_author_stats"
    queue: ClassVar[QueueName] = "bulk"
    at_once: ClassVar[int | None] = 1


class ExportRows(Request):
    """Write the rows of one entity to a file, whole or not at all.

    A path that ends in .gz or .zst is compressed so.
    """

    job: ClassVar[str] = "export_rows"
    queue: ClassVar[QueueName] = "bulk"
    at_once: ClassVar[int | None] = 2
    entity: ExportEntity
    path: Text
    site: SiteName | None = None
    format: ExportFormat = "jsonl"

    @model_validator(mode="after")
    def _compressed_once(self) -> Self:
        if self.format == "parquet" and self.path.lower().endswith(COMPRESSION_ENDINGS):
            raise ValueError("a Parquet file is compressed inside and does not end in .gz or .zst")
        return self


class PruneHistory(Request):
    """Delete finished runs, their receipts and rejects, and old ticks."""

    job: ClassVar[str] = "prune_history"
    at_once: ClassVar[int | None] = 1
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 30.0
