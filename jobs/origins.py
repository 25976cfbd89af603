"""Where a row came from: the file and the run of the record that wrote it last, and the record's bytes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from jobs.errors import InputError
from jobs.files import LISTED, layout_of, what_is_left
from jobs.sources.opening import opened, read
from jobs.sources.window import RAW_BYTES
from models.run import Run
from models.run_file import RunFile
from models.tag import Tag

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from models.post import Post
    from models.user import User


async def origin_of(
    session: AsyncSession, row: User | Post | Tag, most_unpacked_bytes: int | None = None
) -> dict[str, Any]:
    """Describe where a row came from, with the original bytes if its file is still there and unchanged.

    Of a tag, that is the file that had it first. A record of a compressed file that stands behind
    `most_unpacked_bytes` is not looked for.
    """
    file = await session.get(RunFile, row.file_id) if row.file_id is not None else None
    document: dict[str, Any] = {
        "file": None,
        "run": None,
        "repairs": None,
        "missing_since": None,
        "raw": None,
        "why_no_raw": None,
    }
    if not isinstance(row, Tag):
        document |= {"repairs": row.repairs, "missing_since": row.missing_since}
    if file is None:
        return document
    position = None if isinstance(row, Tag) else row.position
    document["run"] = await _run_of(session, file.root_id)
    if file.format == LISTED:
        return document | await _of_list(session, file, position)
    return document | await asyncio.to_thread(_of_file, file, position, most_unpacked_bytes)


async def _run_of(session: AsyncSession, run_id: UUID) -> dict[str, Any]:
    """Describe a run as far as it is known: `job` is None if it was pruned."""
    run = await session.get(Run, run_id)
    return {
        "run_id": str(run_id),
        "job": run and run.job,
        "state": run and run.state,
        "started_at": run and run.started_at,
        "finished_at": run and run.finished_at,
    }


async def _of_list(session: AsyncSession, file: RunFile, position: int | None) -> dict[str, Any]:
    """Describe a list of records in a request, which is there for as long as its run, and give the record."""
    run = await session.get(Run, file.run_id)
    described = {"file": _described(file, position, "unchanged" if run else "gone")}
    if position is None:
        return described
    if run is None:
        return {**described, "why_no_raw": "it came with a request, and its run was pruned"}
    value = run.request[file.entity][position]
    return {**described, "raw": json.dumps(value, ensure_ascii=False).encode()[:RAW_BYTES]}


def _of_file(file: RunFile, position: int | None, most_unpacked_bytes: int | None) -> dict[str, Any]:
    """Describe a file as it is now, and give the record or say why it cannot be read."""
    left = what_is_left(file)
    described = {"file": _described(file, position, left)}
    if position is None:
        return described
    if left != "unchanged":
        return {**described, "why_no_raw": f"the file is {left}"}
    return {**described, **_original(file, position, most_unpacked_bytes)}


def _described(file: RunFile, position: int | None, left: str) -> dict[str, Any]:
    return {
        "path": file.path or None,
        "entity": file.entity,
        "format": file.format,
        "is": left,
        "position": position,
        "read_at": file.created_at,
    }


def _original(file: RunFile, position: int, most_unpacked_bytes: int | None) -> dict[str, Any]:
    """Read the first 64 KiB of a record again, or say why that cannot be."""
    layout = layout_of(file)
    if layout.compression and most_unpacked_bytes is not None and position > most_unpacked_bytes:
        return {"why_no_raw": "it is far inside of a compressed file; `headrace explain` unpacks so much"}
    try:
        with opened(layout) as stream:
            item = next(read(stream, layout, position), None)
    except (OSError, InputError) as error:
        return {"why_no_raw": " ".join(str(error).split())}
    if item is None or item.offset != position:
        return {"why_no_raw": "no record begins at that position"}
    return {"raw": item.raw.rstrip(b"\r\n")}
