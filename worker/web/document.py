"""The application with its OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from worker.web.problems import Problem, problems

REFERENCE = "#/components/schemas/{model}"
# What any operation that takes a body may answer.
OF_BODIES = {
    str(status): problem
    for status, problem in problems(HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE).items()
}


class Api(FastAPI):
    """An application whose document knows what a problem is, which no operation returns by itself."""

    def openapi(self) -> dict[str, Any]:
        """Give the document."""
        if self.openapi_schema is None:
            document = super().openapi()
            problem = Problem.model_json_schema(ref_template=REFERENCE)
            parts = problem.pop("$defs", {})
            document["components"]["schemas"] |= {**parts, Problem.__name__: problem}
            for operation in (each for path in document["paths"].values() for each in path.values()):
                if "requestBody" in operation:
                    operation["responses"] |= OF_BODIES
        return super().openapi()
