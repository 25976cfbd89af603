"""Asking web servers: only those that the rules allow, at the addresses that were checked."""

from __future__ import annotations

import base64
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpcore

from jobs.fetching.errors import FetchError, PlaceRefusedError
from jobs.fetching.places import WEB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from httpcore import AsyncNetworkBackend, AsyncNetworkStream, Response

    from jobs.fetching.rules import Rules

MOST_HOPS = 10
CONNECT_SECONDS = 10.0
REDIRECTS = (301, 302, 303, 307, 308)
KEPT_CHARACTERS = "%/:=&?~+!$,;'@()*[]"
# httpcore's own, and what of Python's errors a broken connection can still end with.
BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError)


class Checked(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that a check of the name gave, so that a second look-up cannot differ."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(addresses)
        self._backend: AsyncNetworkBackend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - it was looked up before
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address that answers."""
        error: Exception = httpcore.ConnectError("it has no address")
        for address in self._addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error


@dataclass(frozen=True, slots=True)
class Web:
    """Asks servers over http and https."""

    rules: Rules
    idle_seconds: float

    @asynccontextmanager
    async def asked(
        self, url: str, headers: Mapping[str, str], *, method: str = "GET"
    ) -> AsyncIterator[Response]:
        """Ask for a URL and follow its redirects, each of which must be allowed too; give the answer unread.

        Raises:
            PlaceRefusedError: a URL on the way must not be asked, or the way has no end.
            FetchError: the server cannot be reached, or the connection broke, within the block too.

        """
        at = url
        for _ in range(MOST_HOPS):
            async with self._answer(at, headers, method) as response:
                to = _redirect(response, at)
                if to is None:
                    yield response
                    return
            at = to
        raise PlaceRefusedError(url, f"redirects more than {MOST_HOPS} times", "check the URL")

    @asynccontextmanager
    async def _answer(self, url: str, headers: Mapping[str, str], method: str) -> AsyncIterator[Response]:
        self.rules.check(url)
        backend = Checked(await self.rules.addresses(url))
        seconds = {"connect": CONNECT_SECONDS, **dict.fromkeys(("read", "write", "pool"), self.idle_seconds)}
        try:
            async with (
                httpcore.AsyncConnectionPool(network_backend=backend, ssl_context=None) as pool,
                pool.stream(
                    method,
                    _target(url),
                    headers=[*_headers(url).items(), *headers.items()],
                    extensions={"timeout": seconds},
                ) as response,
            ):
                yield response
        except BROKEN as error:
            if any(isinstance(reason, ssl.SSLCertVerificationError) for reason in _reasons(error)):
                raise PlaceRefusedError(url, _reason(error), "check the server's certificate") from error
            raise FetchError(url, _reason(error)) from error


def header(response: Response, name: str) -> str:
    """Give a header of an answer, or nothing."""
    wanted = name.lower().encode()
    return next(
        (value.decode("latin-1").strip() for key, value in response.headers if key.lower() == wanted), ""
    )


def in_words(status: int) -> str:
    """Name a status as servers do."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _redirect(response: Response, url: str) -> str | None:
    """Say where an answer sends us.

    Raises:
        PlaceRefusedError: nowhere, or where we do not go.

    """
    if response.status not in REDIRECTS:
        return None
    location = quote(header(response, "Location"), safe=KEPT_CHARACTERS + "#")
    try:
        to = urljoin(url, location)
        scheme = urlsplit(to).scheme
    except ValueError:
        scheme = to = ""
    if not location or scheme not in WEB:
        raise PlaceRefusedError(url, "redirects to what is no http address", "check the URL")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise PlaceRefusedError(url, "redirects from https to http", "check the URL")
    return to


def _target(url: str) -> str:
    """Give a URL in the characters that go over the wire, without user, password and fragment.

    Raises:
        PlaceRefusedError: it is no possible URL.

    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, UnicodeError) as error:
        raise PlaceRefusedError(url, "is no possible URL", "check it") from error
    netloc = f"[{host}]{port}" if ":" in host else host + port
    path, query = (quote(part, safe=KEPT_CHARACTERS) for part in (parts.path or "/", parts.query))
    return parts._replace(netloc=netloc, path=path, query=query, fragment="").geturl()


def _headers(url: str) -> dict[str, str]:
    """Give the headers of each request; what is compressed on its way only would have no size."""
    asked = {"Accept-Encoding": "identity", "User-Agent": f"headrace/{version('headrace')}"}
    parts = urlsplit(url)
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        asked["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
    return asked


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "the server does not answer"
    return " ".join(str(error).split()) or f"the connection broke ({type(error).__name__})"
