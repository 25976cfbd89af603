"""What can go wrong between a service and Headrace. The docstring of each error is its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx


class HeadraceError(Exception):
    """Headrace did not do what it was asked for."""


class UnreachableError(HeadraceError):
    """Headrace did not answer."""


class UnreadableError(HeadraceError):
    """Headrace, or a proxy in front of it, answered with what this client cannot read."""


class ProblemError(HeadraceError):
    """Headrace answered with a problem (RFC 9457).

    `errors` lists, for a request that is not valid, each value that is wrong: `{"loc": […], "msg": "…"}`.
    `request_id` finds the request in Headrace's log. `retry_after_seconds` says when to ask again, if it
    does at all.
    """

    def __init__(self, status: int, document: dict[str, Any], headers: Mapping[str, str]) -> None:
        self.status = status
        self.title = str(document.get("title") or f"status {status}")
        self.detail = str(document.get("detail") or "")
        self.errors: list[dict[str, Any]] = _errors_in(document.get("errors"))
        self.request_id = document.get("request_id") or headers.get("x-request-id")
        self.retry_after_seconds = _seconds(headers.get("retry-after", ""))
        super().__init__(self._line())

    def _line(self) -> str:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in self.errors)
        said = ": ".join(filter(None, (f"{self.status} {self.title}", self.detail, wrong)))
        return f"{said} (request {self.request_id})" if self.request_id else said


class NotAllowedError(ProblemError):
    """The token is missing, unknown or may not do this (401, 403)."""


class NotFoundError(ProblemError):
    """There is nothing of that name (404)."""


class ConflictError(ProblemError):
    """The state of things does not allow it (409)."""


class InvalidError(ProblemError):
    """What was asked for is not valid, or too large (400, 413, 422)."""


class BusyError(ProblemError):
    """Headrace has no time now (429, 503), and had none in any of the tries."""


_CLASSES: dict[int, type[ProblemError]] = {
    400: InvalidError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidError,
    422: InvalidError,
    429: BusyError,
    503: BusyError,
}


def _errors_in(found: Any) -> list[dict[str, Any]]:
    """Pass over what is no error of a value: a problem may be of a proxy's own making."""
    return [each for each in found if _is_error(each)] if isinstance(found, list) else []


def _is_error(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("loc"), list) and "msg" in each


def _seconds(retry_after: str) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3), of which only seconds are understood: Headrace writes no dates."""
    return float(retry_after) if retry_after.isdecimal() else None


def problem_of(response: httpx.Response) -> ProblemError:
    """Make the error of a response that was read; one that is no problem document has only its status."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        document = None
    found = document if isinstance(document, dict) else {}
    kind = _CLASSES.get(response.status_code, ProblemError)
    return kind(response.status_code, found, response.headers)
