"""Rows as they were before a run changed or deleted them: what undoing the run goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, literal, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, UuidKey
from models.dialect import dialect_of, insert_missing
from models.row_document import row_document
from models.run_file import RunFile

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.tag import Tag
    from models.user import User


class FormerRow(Base):
    """A row before a run (`root_id`: the one that was asked for) touched it.

    It is kept as long as the run, or until a later import has written to the site. `row` is a
    `row_document`; its `gone` says that the run deleted the row.
    """

    __tablename__ = "former_rows"

    root_id: Mapped[UUID] = mapped_column(
        UuidKey, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    entity: Mapped[str] = mapped_column(String(16), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    row: Mapped[dict[str, Any]]

    @property
    def external_id(self) -> str:
        """The site's own id of a user or post."""
        return str(self.row["external_id"])


async def keep_former(
    session: AsyncSession,
    root_id: UUID | None,
    model: type[User | Post | Tag],
    *which: ColumnElement[bool],
    gone: bool = False,
) -> None:
    """Note rows as they are, before a run changes (or deletes: `gone`) them for the first time.

    Whoever calls holds their locks. What the run itself has inserted needs no note, nor does what is not
    written by a run.
    """
    if root_id is None:
        return
    row = model.__table__.c
    ours = select(RunFile.id).where(RunFile.root_id == root_id)
    query = select(
        literal(root_id, UuidKey),
        literal(model.__tablename__),
        row.id,
        row_document(dialect_of(session), model, gone=gone),
    ).where(*which, or_(row.file_id.is_(None), row.file_id.not_in(ours)))
    former = insert_missing(dialect_of(session), FormerRow.__table__)
    await session.execute(former.from_select(("root_id", "entity", "row_id", "row"), query))


async def former_rows(
    session: AsyncSession, root_id: UUID, entity: str, after: int, limit: int
) -> list[FormerRow]:
    """List the next rows of an entity that a run has changed or deleted, as they were, by primary key."""
    query = select(FormerRow).where(
        FormerRow.root_id == root_id, FormerRow.entity == entity, FormerRow.row_id > after
    )
    return list(await session.scalars(query.order_by(FormerRow.row_id).limit(limit)))
