"""The records of a run that could not be loaded."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import astuple
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from models.reject import NO_PART, Place, Reject, rejects_of
from models.run import Run
from worker.web.paging import USUAL, After, Limit, Page, key_of, page_of
from worker.web.problems import problems
from worker.web.routes.runs import found
from worker.web.sessions import Ledger
from worker.web.shapes import RejectDocument

router = APIRouter(prefix="/v1/runs/{run_id}/rejects", tags=["runs"])

MOST_NUMBER = 2**31 - 1
MOST_POSITION = 2**63 - 1


Rule = Annotated[
    str | None, Query(pattern=r"^[a-z_]{1,32}$", description="Only rejects that broke this rule.")
]
Replayed = Annotated[
    bool | None, Query(description="Only rejects that were loaded after all, or only those that were not.")
]


@router.get(
    "",
    operation_id="listRejects",
    summary="List the rejects of a run and its parts, in file order",
    response_model=Page[RejectDocument],
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def list_(
    run_id: UUID,
    session: Ledger,
    rule: Rule = None,
    replayed: Replayed = None,
    limit: Limit = USUAL,
    after: After = None,
) -> dict[str, Any]:
    """List rejects with their bytes, a page at a time."""
    key = key_of(after, _up_to(MOST_NUMBER, NO_PART), _up_to(MOST_NUMBER), _up_to(MOST_POSITION))
    last = Place(*key) if key else None
    await found(session.get_one(Run, run_id))
    rows = await rejects_of(session, run_id, limit + 1, last, rule=rule, replayed=replayed)
    return page_of(rows, limit, lambda row: _document(row[0]), lambda row: astuple(row[1]))


def _up_to(most: int, least: int = 0) -> Callable[[Any], int]:
    def bounded(value: Any) -> int:
        if not least <= value <= most:
            raise ValueError("beyond what the column takes")
        return int(value)

    return bounded


def _document(reject: Reject) -> dict[str, Any]:
    return {
        "id": reject.id,
        "run_id": reject.run_id,
        "entity": reject.entity,
        "source": reject.source,
        "position": reject.position,
        "rule": reject.rule,
        "reason": reject.reason,
        "raw_base64": b64encode(reject.raw).decode(),
        "raw": _text(reject.raw),
        "replayed_by": reject.replayed_by,
    }


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
