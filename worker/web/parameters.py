"""Parameters that mean nothing: a misspelt filter must not pass for none."""

from fastapi import Request
from fastapi.exceptions import RequestValidationError


async def only_documented(request: Request) -> None:
    """Refuse parameters of the query that the operation's document does not name."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    if unknown := sorted(request.query_params.keys() - known):
        raise RequestValidationError(
            [{"loc": ("query", name), "msg": "There is no such parameter"} for name in unknown]
        )
