from __future__ import annotations

import asyncio
import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jobs.errors import InputError
from models.exports import EXPORTS, partitions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from jobs.context import JobContext
    from jobs.requests import ExportRows

ROWS_PER_PARTITION = 2_000
ENCODER = msgspec.json.Encoder()


async def export_rows(context: JobContext, request: ExportRows) -> dict[str, Any]:
    """Stream rows into a file beside the target and rename it when it is complete; count rows and bytes.

    Raises:
        InputError: the folder is missing or cannot be written, or the target is no regular file.

    """
    target = _replaceable(Path(request.path))
    unfinished = target.with_name(f".headrace-{context.run_id}.part")
    try:
        with unfinished.open("wb") as file:
            rows = await _write_all(context, request, file)
            os.fsync(file.fileno())
        size = unfinished.stat().st_size
        unfinished.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return {"rows": rows, "bytes": size, "path": str(target)}


def _replaceable(path: Path) -> Path:
    """Follow links to the file that is to be replaced; a device or a pipe is not replaced by a file."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise InputError(f"{target}: is no regular file and is not replaced")
    return target


async def _write_all(context: JobContext, request: ExportRows, file: BinaryIO) -> int:
    encode = _csv if request.format == "csv" else _jsonl
    if request.format == "csv":
        file.write(encode([dict(zip(EXPORTS[request.entity], EXPORTS[request.entity], strict=True))]))
    count = 0
    async with context.reading() as session:
        async for rows in partitions(session, request.entity, request.site, ROWS_PER_PARTITION):
            file.write(await asyncio.to_thread(encode, rows))
            count += len(rows)
    return count


def _jsonl(rows: Sequence[dict[str, Any]]) -> bytes:
    return ENCODER.encode_lines(rows)


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Write rows as RFC 4180: null is an empty field, tags are joined by `|`, times as in JSON."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "|".join(value)
    if hasattr(value, "isoformat"):
        return ENCODER.encode(value).decode().strip('"')
    return value
