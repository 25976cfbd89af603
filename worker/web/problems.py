"""What goes wrong is told as a problem document (RFC 9457), and nothing of ours shows in it."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class FieldError(BaseModel):
    """What is wrong with one value, and where it stands."""

    loc: list[str | int] = Field(examples=[["body", "request", "site"]])
    msg: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """Why a request was not answered."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(default=None, examples=["There is no such run."])
    instance: str = Field(examples=["/v1/runs/5b0e0f2c-1f1f-4c66-8d5c-d1cbb2f6a3a1"])
    request_id: str = Field(examples=["6f1c2f0e5a7b4c0d9b6f5d0f4a3e2c1b"])
    errors: list[FieldError] | None = Field(default=None, description="Of 422: each value that is wrong.")


class ProblemError(HTTPException):
    """The request cannot be answered."""

    status: ClassVar[HTTPStatus]

    def __init__(self, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.status, detail or (self.__doc__ or "").strip(), headers)


class UnauthorizedError(ProblemError):
    """A token is needed: `Authorization: Bearer hr_…`."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class ForbiddenError(ProblemError):
    """With this token one may only read."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ProblemError):
    """There is nothing of that name."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ProblemError):
    """The state of things does not allow it."""

    status = HTTPStatus.CONFLICT


class PreconditionError(ProblemError):
    """There is nothing of that name that could be replaced."""

    status = HTTPStatus.PRECONDITION_FAILED


class TooLargeError(ProblemError):
    """The body is larger than allowed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooSlowError(ProblemError):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnprocessableError(ProblemError):
    """A value cannot be meant so."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyError(ProblemError):
    """Too many requests."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class BusyError(ProblemError):
    """The database has no time for this request now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


class DiskFullError(ProblemError):
    """There is no room on the disk."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


def problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Document the problems of an operation, besides those that any may have."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


# What any operation below /v1 may answer.
COMMON = problems(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def problem_response(scope: Scope, error: HTTPException, errors: list[Any] | None = None) -> Response:
    """Make the answer to a request that has a problem."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": error.detail,
        "instance": quote(scope["path"], safe="/:@!$&'()*+,;=-._~"),
        "request_id": scope["state"]["request_id"],
    }
    if errors is not None:
        document["errors"] = errors
    # ASCII only: what a client sent may hold halves of characters, which UTF-8 does not know.
    return Response(json.dumps(document), error.status_code, error.headers, MEDIA_TYPE)
