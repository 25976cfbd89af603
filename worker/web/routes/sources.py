"""The sources that are imported by the clock."""

from typing import Any

from fastapi import APIRouter

from worker.source_documents import source_documents
from worker.web.held import Holding
from worker.web.paging import Page
from worker.web.sessions import Ledger
from worker.web.shapes import SourceDocument

router = APIRouter(prefix="/v1/sources", tags=["schedule"])


@router.get(
    "",
    operation_id="listSources",
    summary="List what is imported by the clock",
    response_model=Page[SourceDocument],
)
async def list_(session: Ledger, held: Holding) -> dict[str, Any]:
    """List all sources with their state, their alarm and their next tick, on one page."""
    return {"items": await source_documents(session, held.resources.settings, held.sources)}
