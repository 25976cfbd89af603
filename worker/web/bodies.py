"""How large a request's body may be, and how slowly it may come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from worker.web.problems import ProblemError, TooLargeError, TooSlowError, problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 2 * 1024 * 1024  # a request may carry 1 MiB of records
IDLE_SECONDS = 30.0
UPLOADS = "/v1/uploads/"


class BodyBound:
    """Refuses a body that says it is too large, and breaks off one that turns out so, or that stalls."""

    def __init__(self, app: ASGIApp, *, upload_bytes: int) -> None:
        self.app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body bounded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self._upload_bytes if scope["path"].startswith(UPLOADS) else MOST_BYTES
        try:
            _check(_declared(scope), most)
        except ProblemError as error:
            await problem_response(scope, error)(scope, receive, send)
            return
        await self.app(scope, _bounded(receive, most), send)


def _bounded(receive: Receive, most: int) -> Receive:
    read, complete = 0, False

    async def receive_bounded() -> Message:
        nonlocal read, complete
        if complete:  # what is still to come is that the client has gone
            return await receive()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise TooSlowError from None
        read += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        _check(read, most)
        return message

    return receive_bounded


def _check(size: int, most: int) -> None:
    if size > most:
        raise TooLargeError(f"The body may have {most:,} bytes.")


def _declared(scope: Scope) -> int:
    """Give the size that the client announces; the server has seen that it is a number."""
    said = Headers(scope=scope).get("content-length", "0")
    return int(said) if said.isdecimal() else 0
