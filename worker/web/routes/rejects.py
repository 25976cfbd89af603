"""The records of a run that could not be loaded."""

from base64 import b64encode
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter

from models.reject import Reject, rejects_of
from models.run import Run
from worker.web.paging import USUAL, After, Limit, Page, key_of, page_of
from worker.web.problems import problems
from worker.web.routes.runs import found
from worker.web.sessions import Ledger
from worker.web.shapes import RejectDocument

router = APIRouter(prefix="/v1/runs/{run_id}/rejects", tags=["runs"])

MOST_FILE_NUMBER = 2**31 - 1
MOST_POSITION = 2**63 - 1


@router.get(
    "",
    operation_id="listRejects",
    summary="List the rejects of a run, in file order",
    response_model=Page[RejectDocument],
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def list_(run_id: UUID, session: Ledger, limit: Limit = USUAL, after: After = None) -> dict[str, Any]:
    """List rejects with their bytes, a page at a time."""
    last = key_of(after, _up_to(MOST_FILE_NUMBER), _up_to(MOST_POSITION))
    await found(session.get_one(Run, run_id))
    rows = await rejects_of(session, [run_id], limit + 1, last)
    return page_of(rows, limit, _document, lambda reject: (reject.file_number, reject.position))


def _up_to(most: int) -> Callable[[Any], int]:
    def bounded(value: Any) -> int:
        if not 0 <= value <= most:
            raise ValueError("beyond what the column takes")
        return int(value)

    return bounded


def _document(reject: Reject) -> dict[str, Any]:
    return {
        "entity": reject.entity,
        "source": reject.source,
        "position": reject.position,
        "rule": reject.rule,
        "reason": reject.reason,
        "raw_base64": b64encode(reject.raw).decode(),
        "raw": _text(reject.raw),
    }


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
