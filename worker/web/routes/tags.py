"""Tags: how often they are used, and with which others."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from jobs.request_values import SiteName
from models.tag_counts import related_tags, top_tags
from worker.web.data_shapes import TagCounts
from worker.web.paging import USUAL, Limit
from worker.web.problems import problems
from worker.web.sessions import Reporting
from worker.web.values import TagName

router = APIRouter(prefix="/v1/tags", tags=["tags"])


@router.get("", operation_id="listTags", summary="List the most used tags", response_model=TagCounts)
async def list_(
    session: Reporting, site: Annotated[SiteName | None, Query()] = None, limit: Limit = USUAL
) -> dict[str, Any]:
    """List the most used tags with the number of their posts, of one site or of all."""
    return {"items": [row._asdict() for row in await top_tags(session, site, limit)]}


@router.get(
    "/{name:path}/related",
    operation_id="listRelatedTags",
    summary="List the tags that are used together with one",
    response_model=TagCounts,
    responses=problems(HTTPStatus.NOT_FOUND),  # the path of a name with a line break leads nowhere
)
async def related(
    session: Reporting, name: Annotated[TagName, Path()], limit: Limit = USUAL
) -> dict[str, Any]:
    """List the tags that the posts of a tag have besides it; none if there is no such tag."""
    return {"items": [row._asdict() for row in await related_tags(session, name, limit)]}
