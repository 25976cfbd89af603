"""Files that are brought over HTTP, for imports to read."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Request, Response

from jobs.columns import Entity
from jobs.sources.proposing import propose
from worker.proposals import document_of
from worker.web.folders import uploads_of
from worker.web.held import Holding
from worker.web.keeping import UnfinishedFile
from worker.web.paging import USUAL, After, Limit, Page, key_of, page_of
from worker.web.problems import NotFoundError, problems
from worker.web.shapes import ProposedMapping, Uploaded, UploadedFile

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

CHUNK_BYTES = 1024 * 1024
FileName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$",
        description="Letters, digits, dots, dashes and underscores; no folders.",
        examples=["posts.jsonl"],
    ),
]
Replacing = Annotated[Literal["*"] | None, Header(description="`*` replaces the file that is there.")]
BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}

SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": Uploaded, "description": "The same bytes were there already."}
}


@router.put(
    "/{name}",
    operation_id="upload",
    summary="Upload a file",
    status_code=HTTPStatus.CREATED,
    response_model=Uploaded,
    responses=SAME
    | problems(
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.INSUFFICIENT_STORAGE,
    ),
    openapi_extra={"requestBody": BODY | {"required": True}},
)
async def put(
    name: FileName, request: Request, held: Holding, response: Response, if_match: Replacing = None
) -> dict[str, Any]:
    """Keep the body as a file. It is there whole or not at all; one that is cut off leaves nothing.

    A name that is taken is a conflict, unless the bytes are the same or `If-Match: *` replaces the file.
    """
    target = uploads_of(held.resources.settings) / name
    file = await asyncio.to_thread(UnfinishedFile, target.parent)
    try:
        await _receive(request, file)
        placed = await asyncio.to_thread(file.place, target, replace=if_match == "*")
    finally:
        await asyncio.to_thread(file.discard)
    if not placed:
        response.status_code = HTTPStatus.OK
    return {"url": str(target), "bytes": file.size, "sha256": file.sha256}


async def _receive(request: Request, file: UnfinishedFile) -> None:
    """Write the body as it comes, in a thread: the disk holds up no other request."""
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= CHUNK_BYTES:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(file.write, bytes(waiting))


@router.get("", operation_id="listUploads", summary="List uploads by name", response_model=Page[UploadedFile])
async def list_(held: Holding, limit: Limit = USUAL, after: After = None) -> dict[str, Any]:
    """List the files that were uploaded, a page at a time."""
    last = key_of(after, str)
    files = await asyncio.to_thread(_files, uploads_of(held.resources.settings))
    rows = [file for file in files if last is None or file["name"] > last[0]]
    return page_of(rows, limit, dict, lambda file: (file["name"],))


def _files(folder: FilePath) -> list[dict[str, Any]]:
    if not folder.is_dir():
        return []
    found = [_document(path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    return [file for file in found if file]


def _document(path: FilePath) -> dict[str, Any] | None:
    """Describe a file; None if it is none, or gone by now."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
    document = {"name": path.name, "url": str(path), "bytes": stat.st_size, "modified_at": modified_at}
    return document if path.is_file() else None


@router.get(
    "/{name}/mapping",
    operation_id="proposeMapping",
    summary="Propose a mapping for a file",
    response_model=ProposedMapping,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def propose_(name: FileName, held: Holding, entity: Entity | None = None) -> dict[str, Any]:
    """Guess which field of JSON Lines, CSV or Parquet is which of ours, from the first records."""
    path = uploads_of(held.resources.settings) / name
    if not await asyncio.to_thread(path.is_file):
        raise NotFoundError("There is no such upload.")
    return document_of(await asyncio.to_thread(propose, path, entity))


@router.delete(
    "/{name}",
    operation_id="deleteUpload",
    summary="Delete an upload",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def delete(name: FileName, held: Holding) -> None:
    """Delete a file; an import that reads it goes on to its end, and cannot go on after an interruption."""
    path = uploads_of(held.resources.settings) / name
    try:
        await asyncio.to_thread(path.unlink)
    except FileNotFoundError:
        raise NotFoundError("There is no such upload.") from None
