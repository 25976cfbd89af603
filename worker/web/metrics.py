"""Metrics of requests, made of the event that each leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from structlog.typing import EventDict

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class RequestMetrics:
    """Counts answered requests by method, route template and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "headrace_http_request_seconds",
            "How long answers to HTTP requests took",
            ("method", "route", "status"),
            registry=registry,
            buckets=SECONDS,
        )

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Count a request and hand its event on unchanged: a processor of structlog's."""
        if event.get("event") == "http.request":
            labels = (event["method"], event["route"], str(event["status"]))
            self._seconds.labels(*labels).observe(event["seconds"])
        return event
