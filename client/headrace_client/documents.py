"""What Headrace answers, as frozen values. A field that a later Headrace adds is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

FINISHED = ("succeeded", "failed", "cancelled")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class Progress(_Document):
    """How far a run is, in bytes of its input."""

    bytes_done: int = 0
    bytes_total: int = 0


class Counts(_Document):
    """What became of the records: read = inserted + updated + unchanged + rejected + skipped."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    skipped: int = 0
    repaired: int = 0


class EntityReceipt(Counts):
    """The counts of one entity."""

    digest: str = ""
    """The sum of the digests of the records that were loaded; empty from a server that does not say it."""
    unknown_fields: dict[str, int] = {}
    """Fields of the records that are not kept, and how many records had them."""


class RunInfo(Counts):
    """A run as it was when Headrace answered, with the counts of all its entities together."""

    run_id: UUID
    job: str
    state: str
    """`queued`, `running`, `succeeded`, `failed` or `cancelled`."""
    request: dict[str, Any]
    attempt: int = 0
    failures: int = 0
    error: str | None = None
    result: dict[str, Any] | None = None
    progress: Progress = Progress()
    entities: dict[str, EntityReceipt] = {}
    seconds: float = 0.0
    """How long it has been worked on, or was."""
    created_at: datetime
    run_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parent_id: UUID | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to the run, unless it is retried."""
        return self.state in FINISHED


class RejectInfo(_Document):
    """A record that could not be loaded."""

    entity: str
    source: str
    position: int
    """Where it stands in the source, in bytes."""
    rule: str
    reason: str
    raw: Base64Bytes = Field(validation_alias="raw_base64")
    replayed_by: UUID | None = None
    """The run that loaded it after all."""


class ScheduleInfo(_Document):
    """An entry of the schedule."""

    name: str
    job: str
    cron: str
    time_zone: str
    catch_up: str
    """What becomes of missed ticks: `skip`, `last` or `all`."""
    next_tick: datetime
    last_tick: datetime | None = None
    last_run_id: UUID | None = None
    last_state: str | None = None


class UploadInfo(_Document):
    """A file that Headrace has taken."""

    url: str
    """What a request names it by."""
    bytes: int
    sha256: str
