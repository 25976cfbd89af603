"""The floor under any API in Python: FastAPI, asyncpg and one statement, without models, checks or limits."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from fastapi import FastAPI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POST = "SELECT id, site, external_id, title, content, score, word_count, created_at FROM posts WHERE id = $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/v1/posts/{post_id}")
async def post(post_id: int) -> dict[str, Any]:
    return dict(await app.state.pool.fetchrow(POST, post_id))
