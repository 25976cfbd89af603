"""The HTTP API, put together."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer
from prometheus_client import PlatformCollector, ProcessCollector

from worker.gauges import PoolGauges, SourceGauges
from worker.logs import observed
from worker.metrics import show_version
from worker.rounds import beside
from worker.source_watch import keep_watching_sources
from worker.watch import keep_looking, send_traces
from worker.web.bodies import BodyBound
from worker.web.document import Api
from worker.web.edge import Edge
from worker.web.folders import exports_of, uploads_of
from worker.web.gate import Gate
from worker.web.handlers import add_problem_handlers
from worker.web.held import Held
from worker.web.keeping import sweep
from worker.web.metrics import RequestMetrics
from worker.web.parameters import only_documented
from worker.web.problems import COMMON
from worker.web.rates import Rates
from worker.web.routes import (
    authors,
    documents,
    origins,
    posts,
    probes,
    rejects,
    run_events,
    runs,
    schedule,
    sources,
    tags,
    uploads,
    users,
)
from worker.web.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter, FastAPI

    from worker.resources import Resources
    from worker.settings import Settings

# A file for each noun.
ROUTERS: tuple[APIRouter, ...] = (
    runs.router,
    rejects.router,
    run_events.router,
    schedule.router,
    sources.router,
    uploads.router,
    users.router,
    posts.router,
    authors.router,
    tags.router,
    origins.router,
)
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS = ("Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "If-Match")
CORS_EXPOSED = ("Location", "Retry-After", "X-Request-ID")
ABOUT = """Ask for jobs, see how they go, and read what was loaded.

Everything below `/v1` needs a token in `Authorization: Bearer hr_…`: one with the scope `read` for GET, with
`write` for the rest. Errors are problem documents (RFC 9457). Times are RFC 3339, in UTC."""


def make_app(resources: Resources, *, may_be_open: bool) -> FastAPI:
    """Put the application together on open resources; it serves inside its lifespan.

    `may_be_open` lets anybody in as long as no token was ever made: for an address that only this host has.
    """
    settings, held, tokens = resources.settings, Held(resources), Tokens(resources.database)
    app = Api(
        title="Headrace",
        version=version("headrace"),
        description=ABOUT,
        lifespan=partial(_serving, held=held, tokens=tokens),
        middleware=[
            Middleware(Edge),
            *_cors(settings),
            Middleware(
                Gate,
                tokens=tokens,
                rates=Rates(settings.rate_limit),
                origins=settings.cors_origins,
                may_be_open=may_be_open,
            ),
            Middleware(BodyBound, upload_bytes=settings.upload_bytes),
        ],
        redirect_slashes=False,  # what is not there is a problem like any other
        openapi_url=None,  # it would be the only route that the log and the metrics cannot name
        telemetry={"metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.held = held
    add_problem_handlers(app)
    app.include_router(probes.router)
    app.include_router(documents.router)
    # The gate has looked at the token; this tells the OpenAPI document of it.
    token = HTTPBearer(
        scheme_name="token", description="`headrace token create` makes one.", auto_error=False
    )
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(token), Depends(only_documented)], responses=COMMON)
    return app


@asynccontextmanager
async def _serving(_app: FastAPI, *, held: Held, tokens: Tokens) -> AsyncIterator[None]:
    """Look after health, metrics and tokens for as long as the application serves."""
    resources, registry = held.resources, held.registry
    await asyncio.to_thread(_prepare_folders, resources.settings)
    alarms = SourceGauges()
    for collector in (held.queue, alarms, PoolGauges(resources.database)):
        registry.register(collector)
    show_version(registry)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    looking = partial(keep_looking, resources, held.health, held.queue)
    async with AsyncExitStack() as stack:
        if resources.settings.traced:
            await send_traces(resources, stack)
        stack.enter_context(observed(RequestMetrics(registry)))
        names = [source.name for source in held.sources]
        watching = partial(keep_watching_sources, resources, names, alarms)
        await stack.enter_async_context(beside(looking, watching, tokens.keep_noting))
        yield
        held.stopping.set()


def _prepare_folders(settings: Settings) -> None:
    """Make the folders of uploads and exports, and remove what uploads of a killed process have left."""
    for folder in (uploads_of(settings), exports_of(settings)):
        folder.mkdir(parents=True, exist_ok=True)
    sweep(uploads_of(settings))


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    ]
