"""Where rows came from."""

from base64 import b64encode
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.origins import origin_of
from models.post import Post
from models.tag import Tag, tag_by_name
from models.user import User, user_by_id
from worker.web.origin_shapes import Origin
from worker.web.problems import NotFoundError, problems
from worker.web.sessions import Reporting
from worker.web.values import Key, TagName

router = APIRouter(prefix="/v1", tags=["origins"])

NOT_FOUND = problems(HTTPStatus.NOT_FOUND)
# Some tenths of a second; a command has more time.
MOST_UNPACKED_BYTES = 64 * 1024 * 1024


async def document_of(session: AsyncSession, row: User | Post | Tag | None) -> dict[str, Any]:
    """Describe where a row came from.

    Raises:
        NotFoundError: there is none.

    """
    if row is None:
        raise NotFoundError("There is no such row.")
    document = await origin_of(session, row, MOST_UNPACKED_BYTES)
    raw = document.pop("raw")
    return document | {
        "raw": None if raw is None else raw.decode(errors="replace"),
        "raw_base64": None if raw is None else b64encode(raw).decode(),
    }


@router.get(
    "/users/{user_id}/origin",
    operation_id="getOriginOfUser",
    summary="Show where a user came from",
    response_model=Origin,
    responses=NOT_FOUND,
)
async def of_user(session: Reporting, user_id: Key) -> dict[str, Any]:
    """Show which record of which file and run wrote a user last, and its bytes if they are still there."""
    return await document_of(session, await user_by_id(session, user_id))


@router.get(
    "/posts/{post_id}/origin",
    operation_id="getOriginOfPost",
    summary="Show where a post came from",
    response_model=Origin,
    responses=NOT_FOUND,
)
async def of_post(session: Reporting, post_id: Key) -> dict[str, Any]:
    """Show which record of which file and run wrote a post last, and its bytes if they are still there."""
    return await document_of(session, await session.get(Post, post_id))


@router.get(
    "/tags/{name:path}/origin",
    operation_id="getOriginOfTag",
    summary="Show where a tag came from",
    response_model=Origin,
    responses=NOT_FOUND,
)
async def of_tag(session: Reporting, name: Annotated[TagName, Path()]) -> dict[str, Any]:
    """Show which file had a tag first."""
    return await document_of(session, await tag_by_name(session, name))
