from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.behind import Behind
from jobs.errors import InputError, StoppingError
from jobs.sinks.registry import encoder_of
from jobs.sinks.unfinished import Unfinished
from models.exports import EXPORTS, partitions

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import ExportRows
    from jobs.sinks.encoder import Encoder
    from models.exports import Partition

ROWS_PER_PARTITION = 2_000
CHECKPOINT_BYTES = 64 * 1024 * 1024


async def export_rows(context: JobContext, request: ExportRows) -> dict[str, Any]:
    """Stream rows into a file beside the target and rename it when it is complete; count rows and bytes.

    An attempt sees one snapshot of the database. The next one goes on behind the last row of the checkpoint,
    in a snapshot of its own, if the unfinished file is on its host and the format can be gone on with.

    Raises:
        InputError: the folder is missing or cannot be written, the target is no regular file, or the format
            needs a package that is not installed.

    """
    target = _replaceable(Path(request.path))
    encoder = encoder_of(EXPORTS[request.entity], request.format, target)
    file, position = _open(context, target)
    with file:
        export = Export(context, request, encoder, file, position)
        try:
            await export.write_rows()
            await export.finish()
        except asyncio.CancelledError:
            if context.stopping.is_set():  # another attempt goes on with the file
                raise StoppingError from None
            raise
    return {
        "rows": position.rows,
        "bytes": target.stat().st_size,
        "path": str(target),
        "snapshots": position.snapshots,
    }


def _replaceable(path: Path) -> Path:
    """Follow links to the file that is to be replaced; a device or a pipe is not replaced by a file."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise InputError(f"{target}: is no regular file and is not replaced")
    return target


@dataclass(slots=True)
class Position:
    """How far the file is, and how many snapshots its rows are from; what a checkpoint keeps.

    `bytes` are those up to where the file was cut last.
    """

    file: str
    bytes: int = 0
    rows: int = 0
    last_key: int = 0
    snapshots: int = 1


def _open(context: JobContext, target: Path) -> tuple[Unfinished, Position]:
    """Open the file that the checkpoint tells of and go on there, or begin a new one."""
    if context.checkpoint:
        position = Position(**context.checkpoint)
        if file := Unfinished.resume(target, position.file, position.bytes):
            position.snapshots += 1
            return file, position
    file = Unfinished.begin(target, context.run_id, context.attempt)
    return file, Position(file.name)


@dataclass(frozen=True, slots=True)
class Export:
    """One attempt: what is asked for, the file, and how far it is."""

    context: JobContext
    request: ExportRows
    encoder: Encoder
    file: Unfinished
    position: Position

    async def write_rows(self) -> None:
        """Write what is left, each partition in a thread while the database sends the next one."""
        if not self.file.size:
            self.file.write(self.encoder.begin())
        asked, after = self.request, self.position.last_key
        async with self.context.reading() as session, Behind() as marking, Behind() as writing:
            rows = partitions(session, asked.entity, asked.site, ROWS_PER_PARTITION, after)
            async with aclosing(rows) as parts:
                async for part in parts:
                    await writing.do(self._write(part, marking))

    async def finish(self) -> None:
        """Put the complete file in the target's place, unless the run was lost meanwhile."""
        await asyncio.to_thread(self._end)
        async with self.context.batch() as batch:
            batch.bytes_done = self.file.size
        self.file.publish()

    async def _write(self, part: Partition, marking: Behind) -> None:
        await asyncio.to_thread(self._append, part)
        if self.file.size - self.position.bytes >= CHECKPOINT_BYTES:
            rest = self.encoder.cut()
            if rest is not None:
                self.file.write(rest)
                self.position.bytes = self.file.size
                await marking.do(self._mark(replace(self.position)))

    async def _mark(self, position: Position) -> None:
        """Commit where another attempt can go on; by then, the disk has what stands before."""
        await asyncio.to_thread(self.file.sync)
        async with self.context.batch() as batch:
            batch.checkpoint = asdict(position)
            batch.bytes_done = position.bytes
        self.file.is_wanted = True

    def _append(self, part: Partition) -> None:
        self.file.write(self.encoder.encode(part.columns))
        self.position.rows += part.rows
        self.position.last_key = part.last_key

    def _end(self) -> None:
        self.file.write(self.encoder.end())
        self.file.sync()
