"""Following a run to its end: a bar in a terminal, silence elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sqlalchemy import select

from models.family import family
from models.run import FINISHED, Run, State
from worker.cli.app import err
from worker.run_documents import document_in

if TYPE_CHECKING:
    from uuid import UUID

    from worker.resources import Resources

LOOK_EVERY_SECONDS = 0.2
HINT_AFTER_SECONDS = 5.0


async def run_document(resources: Resources, run_id: UUID) -> dict[str, Any]:
    """Read a run and describe it."""
    async with resources.database.reading() as session:
        return await document_in(session, run_id)


async def follow(resources: Resources, run_id: UUID) -> dict[str, Any]:
    """Wait until a run and the runs that follow from it have ended; give the run's document."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows  {task.fields[rate]:,.0f} rows/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    waited, hinted = 0.0, False
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("queued", rows=0, rate=0.0, total=None)
        while True:
            # Without a bar nobody sees more, and to describe a run costs several times as much.
            state = await (
                _show(resources, run_id, bar, task) if err.is_terminal else _state(resources, run_id)
            )
            waited += LOOK_EVERY_SECONDS
            if state == State.QUEUED and not hinted and waited > HINT_AFTER_SECONDS:
                hinted = True
                err.print("still queued: is a worker running? `headrace worker` starts one")
            if state in FINISHED and await _all_finished(resources, run_id):
                return await run_document(resources, run_id)
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _show(resources: Resources, run_id: UUID, bar: Progress, task: TaskID) -> str:
    document = await run_document(resources, run_id)
    rows, seconds = document["read"], document["seconds"]
    bar.update(
        task,
        description=f"{document['job']} {document['state']}",
        completed=document["progress"]["bytes_done"],
        total=document["progress"]["bytes_total"] or None,
        rows=rows,
        rate=rows / seconds if seconds else 0.0,
    )
    return str(document["state"])


async def _state(resources: Resources, run_id: UUID) -> str:
    async with resources.database.reading() as session:
        return (await session.execute(select(Run.state).where(Run.id == run_id))).scalar_one()


async def _all_finished(resources: Resources, run_id: UUID) -> bool:
    async with resources.database.reading() as session:
        return all(state in FINISHED for _, state in await family(session, [run_id]))
