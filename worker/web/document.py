"""The application with its OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from worker.web.problems import Problem

REFERENCE = "#/components/schemas/{model}"


class Api(FastAPI):
    """An application whose document knows what a problem is, which no operation returns by itself."""

    def openapi(self) -> dict[str, Any]:
        """Give the document."""
        if self.openapi_schema is None:
            document = super().openapi()
            problem = Problem.model_json_schema(ref_template=REFERENCE)
            parts = problem.pop("$defs", {})
            document["components"]["schemas"] |= {**parts, Problem.__name__: problem}
        return super().openapi()
