"""Whether a run can be undone: what is asked before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import InputError
from jobs.snapshots import MODELS
from models.former_row import former_rows
from models.import_order import is_open, later_import, superseded_by, written_by
from models.run import Run, State
from models.run_file import files_of
from models.written_rows import changed_since, count_inserted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.natural_key import Keyed
    from models.run_file import RunFile

ROWS_AT_ONCE = 500


class NotRevertibleError(InputError):
    """The run cannot be undone; nothing was changed."""


async def check_revertible(session: AsyncSession, run_id: UUID) -> str:
    """Give the site of an import that can be undone.

    Raises:
        NotRevertibleError: it cannot be, and why.

    """
    files = await _files(session, run_id)
    site = files[0].site
    if (later := await later_import(session, run_id, site)) is not None:
        raise NotRevertibleError(
            f"run {run_id} is not the latest import of {site}: run {later} came after it; revert that first"
        )
    if (later := await superseded_by(session, run_id)) is not None:
        raise NotRevertibleError(
            f"what run {run_id} changed is not kept any more: run {later} wrote to {site} after it"
        )
    await _check_untouched(session, run_id, site, {file.id for file in files})
    return site


async def _files(session: AsyncSession, run_id: UUID) -> Sequence[RunFile]:
    """Give the files of an import that is over."""
    run = await session.get(Run, run_id)
    if run is None:
        raise NotRevertibleError(f"there is no run {run_id}; `headrace runs` lists them")
    if run.part is not None:
        raise NotRevertibleError(f"run {run_id} is a part of run {run.parent_id}: revert that")
    if not run.job.startswith("import_"):
        raise NotRevertibleError(f"run {run_id} is no import but {run.job}: there is nothing to undo")
    if await is_open(session, run_id):
        raise NotRevertibleError(f"run {run_id} has not ended: wait for it, or `headrace cancel` it first")
    files = await files_of(session, run_id)
    if not files:
        raise NotRevertibleError(f"run {run_id} has read no file, so there is nothing to undo")
    if (reverted_by := files[0].reverted_by) is not None:
        raise NotRevertibleError(await _reverted(session, run_id, reverted_by))
    return files


async def _reverted(session: AsyncSession, run_id: UUID, reverted_by: UUID) -> str:
    revert = await session.get(Run, reverted_by)
    if revert is None or revert.state == State.SUCCEEDED:
        return f"run {run_id} is already reverted, by run {reverted_by}"
    return f"run {run_id} is being reverted by run {reverted_by}, which is {revert.state}"


async def _check_untouched(session: AsyncSession, run_id: UUID, site: str, files: set[int]) -> None:
    """See that everything is as the run left it."""
    written = await written_by(session, run_id)
    touched, examples = 0, list[str]()
    for entity, model in MODELS.items():
        inserted = written.get(entity, {}).get("inserted", 0)
        touched += max(0, inserted - await count_inserted(session, run_id, model))
        changed = await _changed(session, run_id, site, model, files)
        examples += [f"{entity.removesuffix('s')} {key}" for key in changed[:1]]
        touched += len(changed)
    if touched:
        example = f", e.g. {examples[0]}" if examples else ""
        raise NotRevertibleError(
            f"{touched:,} rows that run {run_id} wrote were changed by hand or deleted since{example}: "
            "it cannot be undone without undoing that as well"
        )


async def _changed(
    session: AsyncSession, run_id: UUID, site: str, model: Keyed, files: set[int]
) -> list[str]:
    changed, after = list[str](), 0
    while former := await former_rows(session, run_id, model.__tablename__, after, ROWS_AT_ONCE):
        changed += await changed_since(session, site, model, former, files)
        after = former[-1].row_id
        session.expunge_all()  # a row's contents are not kept longer than it is looked at
    return changed
