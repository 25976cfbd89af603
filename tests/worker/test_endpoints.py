"""The HTTP port answers what it should, to anybody, and is silenced by nobody."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from tests.worker.probing import ask, free_port, until
from worker import endpoints
from worker.endpoints import MOST_CONNECTIONS, application, serving
from worker.health import BEAT_SECONDS, OK, RECENT_SECONDS, Health, keep_beating
from worker.resources import ServiceError
from worker.rounds import beside

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("apples", "Apples that fell", registry=registry).inc(3)
    return registry


@pytest.fixture
def health() -> Health:
    return Health(alive_seconds=4 * BEAT_SECONDS)


@pytest.fixture
def port(registry: CollectorRegistry, health: Health) -> Iterator[int]:
    number = free_port()
    with serving(HOST, number, application(registry, health)):
        yield number


def test_metrics_are_given_in_the_text_format(port: int) -> None:
    answer = ask(port, "/metrics?name[]=apples_total")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.samples["apples_total",] == 3


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/nothing"])
def test_head_says_the_same_without_a_body(port: int, path: str) -> None:
    whole, head = ask(port, path), ask(port, path, "HEAD")
    assert head.body == b""
    assert (head.status, head.headers["Content-Length"]) == (whole.status, str(len(whole.body)))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(port: int, method: str) -> None:
    answer = ask(port, "/metrics", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics/../livez", "/favicon.ico", "/%00"])
def test_other_paths_do_not_exist(port: int, path: str) -> None:
    assert ask(port, path).status == 404


def test_readiness_is_what_was_found_last_and_not_long_ago(port: int, health: Health) -> None:
    assert ask(port, "/readyz").status == 503
    health.checked = (time.monotonic(), {"database": OK, "redis": OK})
    assert ask(port, "/readyz").status == 200
    health.checked = (time.monotonic(), {"database": OK, "redis": "Connection refused"})
    answer = ask(port, "/readyz")
    assert (answer.status, answer.json["redis"]) == (503, "Connection refused")
    health.checked = (time.monotonic() - RECENT_SECONDS - 1, {"database": OK, "redis": OK})
    answer = ask(port, "/readyz")
    assert (answer.status, answer.json["checks"]) == (503, "made 16 seconds ago")


async def test_a_blocked_loop_is_not_live_until_it_goes_on(port: int, health: Health) -> None:
    async with beside(partial(keep_beating, health)):
        await asyncio.to_thread(until, port, "/livez", 200)
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(until(port, "/livez", 503).status))
        asking.start()
        asking.join()  # this blocks the loop, and the port answers all the same
        assert answers == [503]
        await asyncio.to_thread(until, port, "/livez", 200)


def test_slow_and_silent_clients_block_nobody(port: int) -> None:
    slow = [socket.create_connection((HOST, port)) for _ in range(MOST_CONNECTIONS // 2)]
    for client in slow:
        client.sendall(b"GET /metrics HTTP/1.0\r\nX-Slow: ")
    assert ask(port, "/metrics").status == 200
    for client in slow:
        client.close()


def test_connections_are_bounded_and_cut_off_in_the_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [socket.create_connection((HOST, port)) for _ in range(MOST_CONNECTIONS)]
    refused = socket.create_connection((HOST, port))
    assert refused.recv(1) == b""
    # However the first ones trickle, their time is over at last.
    monkeypatch.setattr(endpoints, "ANSWERED_SECONDS", 0.0)
    assert {client.recv(1) for client in clients} == {b""}
    monkeypatch.undo()
    assert until(port, "/metrics", 200).status == 200
    for client in (refused, *clients):
        client.close()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.0", b"414"),
        (b"nonsense", b"400"),
        (b"GET /metrics HTTP/9.9", b"505"),
        (b"\xff\xfe\x00", b"400"),
    ],
)
def test_nonsense_is_answered_and_survived(port: int, request_line: bytes, status: bytes) -> None:
    with socket.create_connection((HOST, port)) as client:
        client.sendall(request_line + b"\r\n\r\n")
        assert status in client.recv(1_000)
    assert ask(port, "/livez").status == 200


def test_a_client_that_resets_is_its_own_affair(port: int) -> None:
    with capture_logs() as logs:
        with socket.create_connection((HOST, port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(b"GET /met")
        assert ask(port, "/livez").status == 200
    assert logs == []


def test_an_error_of_ours_is_answered_with_500_and_logged_in_one_line(
    port: int, registry: CollectorRegistry
) -> None:
    class Broken(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            raise ZeroDivisionError("apples")

        def describe(self) -> list[object]:
            return []

    registry.register(Broken())
    with capture_logs() as logs:
        assert ask(port, "/metrics").status == 500
    assert [(line["event"], line["error"]) for line in logs] == [("http.failed", "ZeroDivisionError: apples")]


def test_a_port_in_use_is_named_in_one_line(port: int) -> None:
    with (
        pytest.raises(ServiceError, match=rf"the HTTP port {HOST}:{port} .*in use.*HEADRACE_HTTP_PORT"),
        serving(HOST, port, application(CollectorRegistry(), Health(1))),
    ):
        pass


def test_the_port_is_free_again_afterwards() -> None:
    port = free_port()
    for _ in range(2):
        with serving(HOST, port, application(CollectorRegistry(), Health(1))):
            assert ask(port, "/livez").status == 200


def test_an_address_of_the_newer_kind_can_be_bound() -> None:
    port = free_port()
    with (
        serving("::1", port, application(CollectorRegistry(), Health(1))),
        socket.create_connection(("::1", port)) as client,
    ):
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert b"200 OK" in client.recv(1_000)
