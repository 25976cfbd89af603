"""Which stored rows are newer than a record that is loaded late."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, cast

from sqlalchemy import select

from models.dialect import among
from models.run_file import RunFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.user import User

    Keyed = type[User | Post]
    Origin = tuple[int | None, int | None]  # the file that a row came from, and where it stood there


async def newer_rows(
    session: AsyncSession, model: Keyed, file: RunFile, keys: Collection[str]
) -> dict[str, float]:
    """Lock the rows that records of a file would change, and say up to where the records are older.

    A row is newer than a record if a record behind it wrote the row, a file that was begun later, or a hand;
    if the file has no key, as it was read before files were kept, every row is.
    """
    rows = await _locked(session, model, file.site, keys)
    others = await _files(session, {file_id for file_id, _ in rows.values() if file_id is not None})
    return {key: _newer_up_to(origin, others, file) for key, origin in rows.items()}


async def _locked(session: AsyncSession, model: Keyed, site: str, keys: Collection[str]) -> dict[str, Origin]:
    c = cast("Table", model.__table__).c
    query = select(c.external_id, c.file_id, c.position).order_by(c.id).with_for_update(key_share=True)
    rows = await session.execute(query.where(c.site == site, among(session, c.external_id, keys)))
    return {key: (file_id, position) for key, file_id, position in rows}


async def _files(session: AsyncSession, ids: set[int]) -> Mapping[int, tuple[UUID, str]]:
    query = select(RunFile.id, RunFile.root_id, RunFile.path).where(RunFile.id.in_(ids))
    return {file_id: (root, path) for file_id, root, path in await session.execute(query)} if ids else {}


def _newer_up_to(origin: Origin, others: Mapping[int, tuple[UUID, str]], file: RunFile) -> float:
    file_id, position = origin
    if file_id is None or position is None or file.id is None:
        return inf
    # The parts of a run that was split read one file, each as a file of its own.
    if others.get(file_id) == (file.root_id, file.path):
        return position
    return inf if file_id > file.id else 0
