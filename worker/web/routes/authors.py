"""Authors by rank."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from jobs.request_values import SiteName
from models.rankings import Ranking, Statistic, authors_around, top_authors
from worker.web.data_shapes import RankedAuthors
from worker.web.paging import MOST, USUAL
from worker.web.sessions import Reporting
from worker.web.values import Id64, Moment

router = APIRouter(prefix="/v1", tags=["authors"])


class RankingAsked(BaseModel):
    """What authors are ranked by, among whom, and which of them to list."""

    by: Statistic = "total_score"
    site: SiteName | None = None
    each_site: bool = Field(default=False, description="Rank the authors of each site for themselves.")
    since: Moment | None = Field(default=None, description="Only posts created then or later.")
    until: Moment | None = Field(default=None, description="Only posts created earlier.")
    limit: int = Field(default=USUAL, ge=1, le=MOST, description="The first so many (of each site).")
    around: Id64 | None = Field(default=None, description="This author and those before and after, instead.")
    distance: int = Field(default=5, ge=0, le=MOST // 2, description="So many before, and so many after.")


@router.get("/authors", operation_id="rankAuthors", summary="Rank authors", response_model=RankedAuthors)
async def rank(session: Reporting, asked: Annotated[RankingAsked, Query()]) -> dict[str, Any]:
    """List authors with their ranks and figures, exact at any time. Authors without posts have no rank."""
    ranking = Ranking(**asked.model_dump(include={"by", "site", "each_site", "since", "until"}))
    if asked.around is None:
        return {"items": await top_authors(session, ranking, asked.limit)}
    return {"items": await authors_around(session, ranking, asked.around, asked.distance)}
