"""The outermost layer: a request's id, its trace, its line in the log, and the headers of every answer."""

import re
import time
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from jobs.tracing import in_trace, traceparent
from worker.web.gate import OPEN_PATHS
from worker.web.problems import problem_response

log = structlog.get_logger("headrace.web")

SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Edge:
    """Wraps the whole application. Whatever happens inside, the client gets an answer that says nothing
    of our insides, and the log gets one line with the request's id.
    """  # noqa: D205 - one thought

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        request_id = request_id if SANE_ID.fullmatch(request_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        with bound_contextvars(request_id=request_id), _trace_of(headers):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                _add_headers(message, scope["state"]["request_id"])
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            log.exception("request.failed")
            if status:
                raise  # half of an answer is out; the server must break the connection
            error = HTTPException(
                HTTPStatus.INTERNAL_SERVER_ERROR, "An error of ours; the log has its cause."
            )
            await problem_response(scope, error)(scope, receive, answer)
        finally:
            _log(scope, status, time.monotonic() - began)


def _trace_of(headers: Headers) -> AbstractContextManager[Any]:
    """Go on with the caller's trace, unless a tracer that is at work has done so already."""
    return nullcontext() if traceparent() else in_trace(headers.get("traceparent"))


def _add_headers(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY.items():
        headers.setdefault(name, value)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Log a request, but no probe: these come every few seconds."""
    if scope["path"] in OPEN_PATHS:
        return
    method = scope["method"] if scope["method"] in METHODS else "other"
    log.info("http.request", method=method, route=_route_of(scope), status=status, seconds=round(seconds, 6))


def _route_of(scope: Scope) -> str:
    """Give the template of the route that answered: an address itself would be a series of its own."""
    return getattr(scope.get("route"), "path_format", "none")
