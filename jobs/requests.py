"""The typed ways to ask for a job. A request is a frozen value; its class names the job."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobs.columns import Entity
from jobs.keepable import Text
from jobs.mapping import FieldMapping
from jobs.request_values import (
    COMPRESSION_ENDINGS,
    ExportEntity,
    ExportFormat,
    Missing,
    QueueName,
    SiteName,
    WriterChoice,
)


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
