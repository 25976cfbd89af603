"""Parameters that mean nothing: a misspelt filter must not pass for none, nor one of two for both."""

from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError


async def only_documented(request: Request) -> None:
    """Refuse parameters of the query that the operation's document does not name, or names for one value."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = {
        each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"
    }
    wrong = [
        {"loc": ("query", name), "msg": says}
        for name in sorted(request.query_params.keys())
        for says in _complaints(known.get(name), len(request.query_params.getlist(name)))
    ]
    if wrong:
        raise RequestValidationError(wrong)


def _complaints(schema: dict[str, Any] | None, times: int) -> Iterator[str]:
    if schema is None:
        yield "There is no such parameter"
    elif times > 1 and "array" not in {one.get("type") for one in (schema, *schema.get("anyOf", ()))}:
        yield "This parameter has one value, and is there more than once"
