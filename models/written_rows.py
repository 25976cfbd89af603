"""The rows that a run has written, and whether they are still as it left them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from models.dialect import among, dialect_of
from models.former_row import FormerRow
from models.natural_key import stored_rows
from models.row_document import GONE, TAGS, row_document
from models.run_file import RunFile
from models.run_rows import is_noted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.natural_key import Keyed

# What a run changes of a row without saying that it wrote it: marks, and the names of authors that are gone.
UNSIGNED = (GONE, "missing_since", "author_name")


async def inserted_rows(
    session: AsyncSession, root_id: UUID, model: Keyed, after: int, limit: int
) -> Sequence[int]:
    """List the next rows by primary key that a run has inserted."""
    query = select(model.id).where(*_inserted(root_id, model), model.id > after)
    return (await session.scalars(query.order_by(model.id).limit(limit))).all()


async def count_inserted(session: AsyncSession, root_id: UUID, model: Keyed) -> int:
    """Count the rows that a run has inserted and that nobody has changed by hand or deleted since."""
    query = select(func.count()).select_from(model).where(*_inserted(root_id, model))
    return await session.scalar(query) or 0


def _inserted(root_id: UUID, model: Keyed) -> tuple[ColumnElement[bool], ...]:
    ours = select(RunFile.id).where(RunFile.root_id == root_id)
    return model.file_id.in_(ours), ~is_noted(FormerRow, root_id, model)


async def changed_since(
    session: AsyncSession, site: str, model: Keyed, former: Sequence[FormerRow], files: Collection[int]
) -> list[str]:
    """List the external ids of rows that others have changed, deleted or made again since the run did.

    `files` are those of the run: what it has updated names one of them.
    """
    before = {one.row["external_id"]: one.row for one in former}
    stored = await stored_rows(session, model, site, before, ("file_id",))
    changed = [key for key, row in before.items() if bool(row[GONE]) == (key in stored)]
    unsigned = {
        row_id: before[key]
        for key, (row_id, (file_id,)) in stored.items()
        if file_id not in files and not before[key][GONE]
    }
    return changed + await _differing(session, model, unsigned)


async def _differing(session: AsyncSession, model: Keyed, before: Mapping[int, dict[str, Any]]) -> list[str]:
    """List the external ids of rows that say something else than they did before."""
    if not before:
        return []
    document = row_document(dialect_of(session), model)
    rows = await session.execute(select(model.id, document).where(among(session, model.id, before)))
    return [row["external_id"] for row_id, row in rows if _said(row) != _said(before[row_id])]


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in document.items() if name not in UNSIGNED}
    return said | {TAGS: sorted(document.get(TAGS) or ())}
