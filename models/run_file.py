"""The files that runs read: what a row came from can be said for as long as the row is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import String, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, LongText, UuidKey, intpk, site_name, small_int
from models.clock import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


class RunFile(Base):
    """A file that a run read, and how; it outlives the run, as rows still name it.

    `root_id` is the run that was asked for: the same, or the one that was split into parts. `layout` is what
    a reader needs besides `format` to make records of its bytes again. `size` and `mtime_ns` tell whether
    what is at `path` is still the same. `superseded_by` is the run that wrote to the site after it,
    `reverted_by` the one that undid what was loaded.
    """

    __tablename__ = "run_files"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[intpk]
    run_id: Mapped[UUID] = mapped_column(UuidKey)
    root_id: Mapped[UUID] = mapped_column(UuidKey, index=True)
    number: Mapped[small_int]
    site: Mapped[site_name]
    entity: Mapped[str] = mapped_column(String(16))
    format: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(LongText)
    layout: Mapped[dict[str, Any]]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    superseded_by: Mapped[UUID | None] = mapped_column(UuidKey)
    reverted_by: Mapped[UUID | None] = mapped_column(UuidKey)
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records come from: their site, the row of their file, and the run that was asked for.

    What is not loaded by a run has only a site.
    """

    site: str
    file_id: int | None = None
    root_id: UUID | None = None


async def note_file(session: AsyncSession, file: RunFile) -> RunFile:
    """Write down a file that a run reads, unless an attempt before has; give it with its key."""
    if (known := await file_of(session, file.run_id, file.number)) is not None:
        return known
    file.created_at = await moment(session)
    session.add(file)
    await session.flush()
    return file


async def files_of(session: AsyncSession, root_id: UUID) -> Sequence[RunFile]:
    """List the files that a run and its parts have read, in the order in which they began."""
    return (
        await session.scalars(select(RunFile).where(RunFile.root_id == root_id).order_by(RunFile.id))
    ).all()


async def file_of(session: AsyncSession, run_id: UUID, number: int) -> RunFile | None:
    """Find a file of a run; what was read by versions before has none."""
    same = (RunFile.run_id == run_id, RunFile.number == number)
    return await session.scalar(select(RunFile).where(*same))


async def files_read_by(session: AsyncSession, run_id: UUID) -> Sequence[RunFile]:
    """List the files that a run, be it a part of another, and its own parts have read, as `files_of` does."""
    of_run = or_(RunFile.root_id == run_id, RunFile.run_id == run_id)
    return (await session.scalars(select(RunFile).where(of_run).order_by(RunFile.id))).all()


async def hold_file(session: AsyncSession, run_id: UUID, number: int) -> UUID | None:
    """Keep a file of a run from being reverted until the transaction ends; give the run that has done so."""
    query = select(RunFile.reverted_by).where(RunFile.run_id == run_id, RunFile.number == number)
    return await session.scalar(query.with_for_update(read=True))
