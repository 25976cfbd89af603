"""The HTTP port: metrics and probes, answered by threads, so that a blocked loop cannot silence them."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import make_wsgi_app

from worker.resources import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import CollectorRegistry

    from worker.health import Health

log = structlog.get_logger("headrace.http")

READ_SECONDS = 5.0  # between two bytes of a client
ANSWERED_SECONDS = 15.0  # from the connection to the last byte, whatever trickles in
MOST_CONNECTIONS = 32
LOOK_EVERY_SECONDS = 0.2
METHODS = ("GET", "HEAD")


def application(registry: CollectorRegistry, health: Health) -> WSGIApplication:
    """Make the application behind the port: GET and HEAD of a few pages."""
    pages: dict[str, WSGIApplication] = {
        "/metrics": make_wsgi_app(registry),
        "/livez": _probe(health.live),
        "/readyz": _probe(health.ready),
    }
    unknown = _page("404 Not Found", {"error": f"there are {', '.join(pages)}"})
    refused = _page("405 Method Not Allowed", {"error": "GET or HEAD"}, ("Allow", "GET, HEAD"))

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        page = pages.get(environ["PATH_INFO"], unknown) if method in METHODS else refused
        head: list[Any] = []

        def keep(*said: Any) -> Any:
            head.extend(said)

        # A page knows only GET; the answer to HEAD is the same without the body.
        body = b"".join(page({**environ, "REQUEST_METHOD": "GET"}, keep))
        status, headers = head
        start(status, [*headers, ("Content-Length", str(len(body)))])
        return [] if method == "HEAD" else [body]

    return answer


def _probe(tell: Callable[[], tuple[bool, dict[str, str]]]) -> WSGIApplication:
    def page(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        good, says = tell()
        return _page("200 OK" if good else "503 Service Unavailable", says)(environ, start)

    return page


def _page(status: str, document: dict[str, str], *headers: tuple[str, str]) -> WSGIApplication:
    def page(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start(status, [("Content-Type", "application/json"), *headers])
        return [json.dumps(document).encode() + b"\n"]

    return page


@contextmanager
def serving(host: str, port: int, app: WSGIApplication) -> Iterator[None]:
    """Answer HTTP on a port from a thread of its own for as long as the block lasts.

    Raises:
        ServiceError: the port cannot be had.

    """
    try:
        server = _Server(host, port)
    except (OSError, OverflowError) as error:
        raise ServiceError(
            f"the HTTP port {host}:{port} cannot be opened: {error}; see HEADRACE_HTTP_PORT"
        ) from error
    server.set_app(app)
    thread = threading.Thread(
        target=server.serve_forever, args=(LOOK_EVERY_SECONDS,), name="headrace-http", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, of which there are so many and each so long."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: dict[socket.socket, float] = {}
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def verify_request(self, request: Any, _address: Any) -> bool:
        """Refuse a connection when there are too many."""
        if len(self._open) >= MOST_CONNECTIONS:
            return False
        self._open[request] = time.monotonic()
        return True

    def service_actions(self) -> None:
        """Cut connections off whose time is over."""
        late = time.monotonic() - ANSWERED_SECONDS
        for request, since in tuple(self._open.items()):
            if since < late:
                self._cut(request)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Log errors of ours; a client that is gone or too slow is its own affair."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("http.failed", error=type(error).__name__)

    @staticmethod
    def _cut(request: socket.socket) -> None:
        with suppress(OSError):  # its thread was quicker
            request.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    """Answers one request, silently."""

    timeout = READ_SECONDS

    def log_message(self, *_words: Any) -> None:
        """Log no request: probes come every few seconds."""

    def address_string(self) -> str:
        """Name the client without asking the name service."""
        return str(self.client_address[0])

    def get_stderr(self) -> Any:
        """Take what wsgiref says of an error while it answered."""
        return _Complaint()


class _Complaint(io.StringIO):
    """A traceback of wsgiref's, logged as an event when it is complete."""

    def flush(self) -> None:
        """Log its last line."""
        if lines := self.getvalue().strip().splitlines():
            log.error("http.failed", error=lines[-1])
            self.truncate(0)
