"""The typed ways to ask for a job. A request is a frozen value; its class names the job."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _utf8(text: str) -> str:
    text.encode()  # a name that is not UTF-8 could not be kept in the database: ValueError
    return text


Text = Annotated[str, AfterValidator(_utf8)]
SiteName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_utf8)
]
FormatChoice = Literal["auto", "stackexchange", "jsonl", "csv"]
WriterChoice = Literal["auto", "add_all"]
ExportEntity = Literal["users", "posts", "tags", "authors"]
ExportFormat = Literal["jsonl", "csv"]


class Request(BaseModel):
    """Asks for one run of the job named by `job`; an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    job: ClassVar[str]


class _Import(Request):
    site: SiteName
    """Where the records come from; with their own ids it makes the natural key."""
    format: FormatChoice = "auto"
    writer: WriterChoice = "auto"


class _ImportFile(_Import):
    url: Text
    """Path of a file that the worker can read."""


class ImportUsers(_ImportFile):
    """Load one file of users."""

    job: ClassVar[str] = "import_users"


class ImportPosts(_ImportFile):
    """Load one file of posts; their authors may come later."""

    job: ClassVar[str] = "import_posts"


class ImportTags(_ImportFile):
    """Load one file of tags."""

    job: ClassVar[str] = "import_tags"


class ImportDump(_Import):
    """Load several files, or the Users, Tags and Posts files of folders, in that order, as one run."""

    job: ClassVar[str] = "import_dump"
    urls: Annotated[tuple[Text, ...], Field(min_length=1)]


class RefreshAuthorStats(Request):
    """Compute the statistics of the authors that are marked stale."""

    job: ClassVar[str] = "refresh_author_stats"


class RebuildAuthorStats(Request):
    """Compute the statistics of all authors and report how many had drifted."""

    job: ClassVar[str] = "rebuild_author_stats"


class ExportRows(Request):
    """Write the rows of one entity to a file, whole or not at all."""

    job: ClassVar[str] = "export_rows"
    entity: ExportEntity
    path: Text
    site: SiteName | None = None
    format: ExportFormat = "jsonl"


class PruneHistory(Request):
    """Delete finished runs, their receipts and rejects, and old ticks."""

    job: ClassVar[str] = "prune_history"
    keep_days: Annotated[float, Field(gt=0)] = 30.0
