"""A FastAPI service records an upload in a table of its own and asks for its import in the same transaction.

It needs `fastapi`, `uvicorn`, `headrace-client[session]` and the driver of the database, nothing else of
Headrace. Run it with DATABASE_URL (with its driver: postgresql+asyncpg://…) and REDIS_URL set to the ones
that the workers use, on a migrated database:

    uvicorn fastapi_service:app --app-dir examples --port 8080
    curl http://127.0.0.1:8080/uploads --json '{"path": "/data/posts.jsonl", "site": "beer"}'

The service's table is `example_uploads`; the example makes it where it is missing.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from sqlalchemy import String
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from headrace_client import ImportPosts, open_client


class ServiceBase(DeclarativeBase):
    """The tables of the service; they have nothing to do with those of Headrace."""


class Upload(ServiceBase):
    """A file that somebody gave to the service."""

    __tablename__ = "example_uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(1000))
    run_id: Mapped[str | None] = mapped_column(String(36))


class NewUpload(BaseModel):
    path: str
    site: str


class TakenUpload(BaseModel):
    id: int
    run_id: str


@asynccontextmanager
async def serving(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    database_url = os.environ["DATABASE_URL"]
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(ServiceBase.metadata.create_all)
    async with open_client(database_url, os.environ.get("REDIS_URL")) as headrace:
        yield {"sessions": async_sessionmaker(engine, expire_on_commit=False), "headrace": headrace}
    await engine.dispose()


app = FastAPI(lifespan=serving)


@app.post("/uploads", status_code=202)
async def take(new: NewUpload, request: Request) -> TakenUpload:
    async with request.state.sessions.begin() as session:
        upload = Upload(path=new.path)
        session.add(upload)
        await session.flush()
        # The run exists if and only if the upload does. The key makes a second ask for the same upload
        # return the first run.
        run_id = await request.state.headrace.enqueue(
            ImportPosts(url=new.path, site=new.site), session=session, unique_key=f"upload {upload.id}"
        )
        upload.run_id = str(run_id)
    return TakenUpload(id=upload.id, run_id=upload.run_id)
