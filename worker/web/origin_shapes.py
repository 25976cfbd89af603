"""The document of a row's origin, as OpenAPI shows it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from models.run import State
from worker.web.shapes import RUN_ID


class OriginFile(BaseModel):
    """The file whose record wrote a row last."""

    path: str | None = Field(
        examples=["/srv/headrace/uploads/Posts.xml"], description="Null for a list of records in a request."
    )
    entity: str = Field(examples=["posts"])
    format: str = Field(examples=["stackexchange"])
    is_: Literal["unchanged", "changed", "gone"] = Field(
        alias="is", description="What is left of it since it was read."
    )
    position: int | None = Field(examples=[4096], description="The offset of the record; null for a tag.")
    read_at: datetime


class OriginRun(BaseModel):
    """The run that read the file; only its id is known if it was pruned."""

    run_id: UUID = Field(examples=[RUN_ID])
    job: str | None = Field(examples=["import_dump"])
    state: State | None
    started_at: datetime | None
    finished_at: datetime | None


class Origin(BaseModel):
    """Where a row came from; `file` is null if it was made or changed by hand."""

    file: OriginFile | None
    run: OriginRun | None
    repairs: int | None = Field(examples=[0], description="How many characters of the record were replaced.")
    missing_since: datetime | None = Field(examples=[None], description="When a snapshot first lacked it.")
    raw: str | None = Field(examples=["{}"], description="Up to 64 KiB of the record, as text.")
    raw_base64: str | None = Field(examples=["e30="])
    why_no_raw: str | None = Field(examples=[None])
