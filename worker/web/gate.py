"""Who may enter. Outside of the routes, so that a new route is guarded without anybody thinking of it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders

from worker.web.handlers import away_response
from worker.web.problems import (
    ForbiddenError,
    ProblemError,
    UnauthorizedError,
    problem_response,
)
from worker.web.tokens import ANYBODY

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from worker.web.rates import Rates
    from worker.web.tokens import Caller, Tokens

OPEN_PATHS = frozenset({"/livez", "/readyz"})
LOOKING = frozenset({"GET", "HEAD"})


class Gate:
    """Lets through what has a token that allows it; anybody, if no token was ever made and `may_be_open`.

    An open API answers only to names of this host: a page in a browser here could otherwise reach it by a
    name of its own that it lets point to this host. Nor does it answer to pages of other origins than
    `origins` and its own: what a form sends needs nobody's leave.
    """

    def __init__(
        self, app: ASGIApp, *, tokens: Tokens, rates: Rates, origins: Collection[str], may_be_open: bool
    ) -> None:
        self.app = app
        self._origins = origins
        self._tokens = tokens
        self._rates = rates
        self._may_be_open = may_be_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, with its caller in the state, or answer why not."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        try:
            headers = await self._enter(scope)
        except ProblemError as error:
            await problem_response(scope, error)(scope, receive, send)
            return
        except (OSError, SQLAlchemyError) as error:
            await away_response(scope, error)(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and headers:
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, answer)

    async def _enter(self, scope: Scope) -> dict[str, str]:
        address = scope["client"][0] if scope.get("client") else "unknown"
        caller = scope["state"]["caller"] = await self._caller(scope, address)
        headers = await self._rates.count(address if caller.token_id is None else f"token {caller.token_id}")
        if scope["method"] not in LOOKING and not caller.may_write:
            raise ForbiddenError
        return headers

    async def _caller(self, scope: Scope, address: str) -> Caller:
        headers = Headers(scope=scope)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            return await self._without_token(headers)
        if caller := self._tokens.known(secret):
            return caller
        # Nobody guesses a token; the limit only spares the database. So one that was good is always looked
        # up, lest a neighbour behind the same proxy who has a wrong one locks it out.
        if not self._tokens.was_good(secret):
            await self._rates.check_failures(address)
        if caller := await self._tokens.find(secret):
            return caller
        await self._rates.count_failure(address)
        raise UnauthorizedError("This token is unknown, revoked or expired.")

    async def _without_token(self, headers: Headers) -> Caller:
        if not self._may_be_open or await self._tokens.exist():
            raise UnauthorizedError
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_loopback(_name_of(host)):
            raise ForbiddenError("Without tokens, the API answers to localhost only.")
        if origin is not None and origin not in {f"http://{host}", *self._origins}:
            raise ForbiddenError("Pages of this origin may not use the API.")
        return ANYBODY


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address means this host to itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name_of(host: str) -> str:
    """Take the port off a Host header."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
