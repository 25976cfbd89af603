"""The documents that the API answers with, as OpenAPI shows them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from jobs.columns import Entity
from models.run import State

RUN_ID = "5b0e0f2c-1f1f-4c66-8d5c-d1cbb2f6a3a1"


class Counts(BaseModel):
    """What became of records: `read` is the sum of inserted, updated, unchanged, rejected and skipped."""

    read: int = Field(examples=[100])
    inserted: int = Field(examples=[90])
    updated: int = Field(examples=[5])
    unchanged: int = Field(examples=[4])
    deleted: int = Field(examples=[0])
    rejected: int = Field(examples=[1])
    skipped: int = Field(examples=[0])
    repaired: int = Field(examples=[0])


class EntityCounts(Counts):
    """The counts of users, posts or tags, and how often fields came up that are not kept."""

    digest: str = Field(
        examples=["8f1c02a97be2d4e6"], description="The sum of the digests of the records that were loaded."
    )
    unknown_fields: dict[str, int]


class Progress(BaseModel):
    """How far a run is; `bytes_total` is 0 where it is not known."""

    bytes_done: int = Field(examples=[1_048_576])
    bytes_total: int = Field(examples=[4_194_304])


class Part(BaseModel):
    """One of the runs that a run was split into."""

    run_id: UUID
    job: str
    state: State


class RunDocument(Counts):
    """A run: what was asked for, how far it is, and what came of it."""

    run_id: UUID = Field(examples=[RUN_ID])
    job: str = Field(examples=["import_dump"])
    state: State
    seconds: float = Field(examples=[1.5], description="How long it has taken, or took.")
    attempt: int = Field(examples=[1])
    failures: int = Field(examples=[0])
    error: str | None = Field(examples=[None])
    result: dict[str, Any] | None
    request: dict[str, Any]
    progress: Progress
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: UUID | None = Field(examples=[None])
    parts: list[Part] = []
    entities: dict[str, EntityCounts]


class RunDetails(RunDocument):
    """A run with its rejects by rule, and the states of the runs that follow from it."""

    rejects_by_rule: dict[str, int] = Field(examples=[{"missing": 1}], description="All that there were.")
    replayed_by_rule: dict[str, int] = Field(
        examples=[{}], description="Those of them that were loaded after all."
    )
    children: dict[State, int]


class RejectDocument(BaseModel):
    """A record that could not be loaded: where it stood, its bytes, the rule and the reason."""

    id: int = Field(examples=[1])
    run_id: UUID = Field(
        examples=[RUN_ID], description="The run that it is of: the one asked for, or a part."
    )
    entity: str = Field(examples=["posts"])
    source: str = Field(examples=["/srv/headrace/uploads/posts.jsonl"])
    position: int = Field(examples=[4096], description="The offset of its first byte.")
    rule: str = Field(examples=["missing"])
    reason: str = Field(examples=["created_at is missing"])
    raw_base64: str = Field(examples=["e30="])
    raw: str | None = Field(examples=["{}"], description="The same as text, if it is UTF-8.")
    replayed_by: UUID | None = Field(examples=[None], description="The run that loaded it after all.")


class ScheduleEntry(BaseModel):
    """What starts by itself: its times, its last tick and what came of it, its next tick."""

    name: str = Field(examples=["rebuild-stats"])
    job: str = Field(examples=["rebuild_author_stats"])
    cron: str = Field(examples=["10 3 * * *"])
    time_zone: str = Field(examples=["UTC"])
    catch_up: str = Field(examples=["last"], description="What becomes of ticks that were missed.")
    last_tick: datetime | None
    last_run_id: UUID | None = Field(examples=[RUN_ID])
    last_state: State | None
    next_tick: datetime | None
    seen_until: datetime | None
    due_since: datetime | None = Field(description="The first tick that no worker has looked at.")


class SourceDocument(BaseModel):
    """What is imported by the clock: where it lies, when, and whether it is as it should be."""

    name: str = Field(examples=["beer-dump"])
    site: str = Field(examples=["beer"])
    urls: list[str] = Field(examples=[["https://example.org/beer.7z"]], description="Without secrets.")
    cron: str = Field(examples=["30 5 * * 1"])
    time_zone: str = Field(examples=["UTC"])
    state: Literal["new", "ok", "unchanged", "failed", "alarm"]
    alarm: str | None = Field(examples=["40 posts were read, and there must be 5,000"])
    alarm_since: datetime | None
    expect: dict[str, int] = Field(examples=[{"posts": 5_000}])
    counts: dict[str, int] = Field(examples=[{"posts": 5_123}], description="What was read when it was good.")
    checked_at: datetime | None
    changed_at: datetime | None
    last_run_id: UUID | None = Field(examples=[RUN_ID])
    last_state: State | None
    next_tick: datetime | None


class UploadedFile(BaseModel):
    """A file that was uploaded."""

    name: str = Field(examples=["posts.jsonl"])
    url: str = Field(examples=["/srv/headrace/uploads/posts.jsonl"], description="What requests name it by.")
    bytes: int = Field(examples=[4_194_304])
    modified_at: datetime


class ProposedMapping(BaseModel):
    """A mapping that was guessed from the first records of a file, and why."""

    file: str = Field(examples=["statuses.jsonl"])
    entity: Entity
    mapping: dict[str, Any] | None = Field(
        description="As imports take it; null if a field is missing that every record needs.",
        examples=[{"external_id": "id", "created_at": "created_at", "content": "body"}],
    )
    why: dict[str, str] = Field(examples=[{"external_id": "by its name, like '109'"}])
    missing: list[str] = Field(description="Fields that nothing looks like and every record needs.")
    left: dict[str, str] = Field(description="What is not mapped, and what it looks like.")
    records: int = Field(examples=[1000], description="How many records were looked at.")
    loadable: int = Field(examples=[998], description="How many of them can be loaded by the mapping.")


class Uploaded(BaseModel):
    """What an upload has left."""

    url: str = Field(examples=["/srv/headrace/uploads/posts.jsonl"], description="What requests name it by.")
    bytes: int = Field(examples=[4_194_304])
    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
