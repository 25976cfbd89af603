"""The typed ways to ask for a job. A request is a frozen value; its class names the job."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobs.columns import Entity
from jobs.keepable import Text, keepable
from jobs.mapping import FieldMapping

SiteName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(keepable)
]
FormatChoice = Literal["auto", "stackexchange", "jsonl", "csv", "parquet"]
WriterChoice = Literal["auto", "add_all", "copy"]
ExportEntity = Literal["users", "posts", "tags", "authors"]
ExportFormat = Literal["jsonl", "csv", "parquet"]
COMPRESSION_ENDINGS = (".gz", ".zst")
QueueName = Literal["default", "bulk"]


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

    def document(self) -> dict[str, Any]:
        """Give what the ledger keeps: the fields that are not at their defaults.

        A field that a later version adds travels only where it is used, so that workers of both versions
        read the same requests while one replaces the other.
        """
        return self.model_dump(mode="json", exclude_defaults=True)


class _Import(Request):
    queue: ClassVar[QueueName] = "bulk"
    site: SiteName
    """Where the records come from; with their own ids it makes the natural key."""
    format: FormatChoice = "auto"
    writer: WriterChoice = "auto"
    mapping: FieldMapping | None = None
    """Where our fields are in records of another shape; None if they have our names."""


class ByteRange(BaseModel):
    """A piece of a file whose records can be read alone, and what the file was when it was cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    start: Annotated[int, Field(ge=0)]
    stop: Annotated[int, Field(ge=0)] | None = None
    """Where the next piece begins; None reads to the end, wherever that is in what is compressed."""
    size: Annotated[int, Field(ge=0)]
    mtime_ns: int


class _ImportFile(_Import):
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


class ImportDump(_Import):
    """Load several files, or the Users, Tags and Posts files of folders, in that order, as one run.

    Of a site, one dump is loaded at a time: the later one has the last word.
    """

    job: ClassVar[str] = "import_dump"
    at_once: ClassVar[int | None] = 1
    urls: Annotated[tuple[Text, ...], Field(min_length=1)]
    split: bool = False
    """Cut the files into ranges, each loaded by a run of its own: users' and tags' first, then posts'.

    Links and statistics follow when all have succeeded.
    """

    @property
    def limit_key(self) -> str:
        """Count the dumps of one site."""
        return f"{self.job} {self.site}"


class LinkPosts(Request):
    """Link the posts of a site to authors and parents that arrived after them; imports do so at their end."""

    job: ClassVar[str] = "link_posts"
    queue: ClassVar[QueueName] = "bulk"
    site: SiteName


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
