"""The API's document, and a page that shows it: Swagger UI, whose files come from a wheel."""

from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from worker.web.problems import COMMON

router = APIRouter(tags=["document"], responses=COMMON, include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Headrace</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true});\n'
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """Give the document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def page() -> HTMLResponse:
    """Show the operations, to try them out."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Start the page; a script inside of it would need a laxer policy."""
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}")
async def file(name: Annotated[Literal["swagger-ui-bundle.js", "swagger-ui.css"], Path()]) -> FileResponse:
    """Give a file of Swagger UI."""
    return FileResponse(str(files("fastapi_offline") / "static" / name))
