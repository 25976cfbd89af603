"""What probes and Prometheus ask."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import choose_encoder

from worker.health import OK
from worker.web.held import Holding
from worker.web.problems import COMMON

router = APIRouter(tags=["probes"])

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "Something is missing; the body says what.", "model": dict[str, str]}
}


@router.head("/livez", include_in_schema=False)
@router.get("/livez", operation_id="livez", summary="Whether the process answers")
async def livez() -> dict[str, str]:
    """Say so."""
    return {"loop": OK}


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Whether database, schema and Redis were in order lately",
    responses=NOT_READY,
)
async def readyz(held: Holding) -> dict[str, str]:
    """Give "ok" or in one line what is wrong, for each."""
    good, says = held.health.ready()
    return JSONResponse(says, HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)  # type: ignore[return-value]


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **COMMON},
    openapi_extra={"security": [{"token": []}]},
)
async def metrics(held: Holding, request: Request) -> Response:
    """Give the queue, this process's connections and its requests."""
    try:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
    except TypeError:  # the library compares a version that is no number
        encode, media_type = choose_encoder("")
    return Response(await asyncio.to_thread(encode, held.registry), media_type=media_type)
