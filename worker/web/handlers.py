"""Which problem an error is told as."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from jobs.errors import InputError
from models.dialect import Fault, fault_of, is_away, is_duplicate
from models.natural_key import TakenError
from models.statements import has_run_too_long
from worker.web.problems import BusyError, ConflictError, UnprocessableError, problem_response

log = structlog.get_logger("headrace.web")


def add_problem_handlers(app: FastAPI) -> None:
    """Tell every error as a problem; those that nobody expected are told at the edge."""
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(TakenError, _taken)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(SQLAlchemyError, _away)
    app.add_exception_handler(OSError, _away)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler's signature is FastAPI's
    return problem_response(request.scope, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    found = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors()]
    return problem_response(request.scope, UnprocessableError("The request is not valid."), found)


async def _refused(request: Request, error: Exception) -> Response:
    return problem_response(request.scope, UnprocessableError(str(error)))


async def _taken(request: Request, error: Exception) -> Response:
    return problem_response(request.scope, ConflictError(str(error)))


async def _gone(request: Request, _error: Exception) -> Response:
    """Answer nobody: the client has hung up in the middle of its body."""
    return problem_response(request.scope, HTTPException(HTTPStatus.BAD_REQUEST, "The body is not complete."))


async def _away(request: Request, error: Exception) -> Response:
    return away_response(request.scope, error)


def away_response(scope: Scope, error: Exception) -> Response:
    """Ask to come again where that may help; what else the database says is ours to mend: it is raised."""
    if is_away(error):
        says = "The database cannot be reached."
    elif isinstance(error, DBAPIError) and _was_late(error):
        says = "Another change to the same rows was first."
    elif has_run_too_long(error):
        says = "The database took too long to answer; ask for less at a time."
    else:
        raise error
    log.warning("request.refused", error=type(error).__name__)
    return problem_response(scope, BusyError(says))


def _was_late(error: DBAPIError) -> bool:
    """Tell whether another transaction was first, and the same request may succeed now."""
    return fault_of(error) is Fault.CONFLICT and not is_duplicate(error)
