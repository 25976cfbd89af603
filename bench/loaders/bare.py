"""A bare `add_all` loop: `python -m bench.loaders.bare URL POSTS BATCH` prints its seconds as JSON.

The same models, the same rows, a commit a batch; the keys are known and nothing is promised.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.loading.posts import SITE, make_posts
from models.post import Post
from models.tag import post_tags
from models.urls import async_url
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.loading.posts import Post as Made


async def main(url: str, posts: int, batch: int) -> dict[str, float]:
    """Load the posts; the time that it takes to make them is left out."""
    engine = create_async_engine(async_url(url))
    sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
    made, seconds = make_posts(posts), 0.0
    while part := list(islice(made, batch)):
        rows, links = [_row(post) for post in part], _links(part)
        began = time.perf_counter()
        async with sessions.begin() as session:
            await _write(session, rows, links)
        seconds += time.perf_counter() - began
    await engine.dispose()
    return {"seconds": seconds}


async def _write(session: AsyncSession, rows: Sequence[dict[str, Any]], links: list[dict[str, int]]) -> None:
    session.add_all([Post(**row) for row in rows])
    await session.flush()
    if links:
        await session.execute(post_tags.insert(), links)


def _row(post: Made) -> dict[str, Any]:
    author, parent = (str(key) if key else None for key in (post.author, post.parent))
    return {
        "id": post.number,
        "site": SITE,
        "external_id": str(post.number),
        "author_id": post.author,
        "author_external_id": author,
        "author_name": post.author_name,
        "parent_id": post.parent,
        "parent_external_id": parent,
        "kind": post.kind,
        "title": post.title,
        "content": post.content,
        "score": post.score,
        "word_count": word_count(post.content),
        "created_at": post.created_at,
    }


def _links(posts: Sequence[Made]) -> list[dict[str, int]]:
    return [{"post_id": post.number, "tag_id": tag} for post in posts for tag in post.tags]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
