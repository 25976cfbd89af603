"""What leaves the database: the columns of an exported row, streamed in partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models.author_stats import FIGURES, authors
from models.dialect import MYSQL, dialect_of
from models.post import Post
from models.tag import Tag, tag_names_of
from models.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import RowMapping, Select
    from sqlalchemy.ext.asyncio import AsyncSession

EXPORTS: dict[str, tuple[str, ...]] = {
    "users": ("site", "external_id", "name", "email", "reputation", "created_at"),
    "posts": (
        "site",
        "external_id",
        "author_external_id",
        "author_name",
        "parent_external_id",
        "kind",
        "title",
        "content",
        "score",
        "created_at",
        "tags",
    ),
    "tags": ("name",),
    "authors": ("site", "external_id", "name", "author_id", *FIGURES, "computed_at"),
}


def query_of(entity: str, site: str | None) -> Select[Any]:
    """Select the rows of an export in the order of their keys; tags belong to no site."""
    if entity == "tags":
        return select(Tag.name).order_by(Tag.id)
    if entity == "authors":
        every = authors(site)
        return every.order_by({column.name: column for column in every.selected_columns}["author_id"])
    model = User if entity == "users" else Post
    names = [name for name in EXPORTS[entity] if name != "tags"]
    columns: list[Any] = [Post.id] if entity == "posts" else []
    query: Select[Any] = select(*columns, *(getattr(model, name) for name in names)).order_by(model.id)
    return query.where(model.site == site) if site else query


async def partitions(
    session: AsyncSession, entity: str, site: str | None, size: int
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    """Stream the rows of an export, `size` at a time, as dictionaries of EXPORTS[entity] in that order."""
    pages = _pages if entity == "posts" and dialect_of(session) in MYSQL else _streamed
    async for part in pages(session, query_of(entity, site), size):
        tags = await tag_names_of(session, [row["id"] for row in part]) if entity == "posts" else {}
        yield [
            {name: tags.get(row["id"], []) if name == "tags" else row[name] for name in EXPORTS[entity]}
            for row in part
        ]


async def _streamed(
    session: AsyncSession, query: Select[Any], size: int
) -> AsyncIterator[Sequence[RowMapping]]:
    result = await session.stream(query.execution_options(yield_per=size))
    async for part in result.mappings().partitions():
        yield part


async def _pages(session: AsyncSession, query: Select[Any], size: int) -> AsyncIterator[Sequence[RowMapping]]:
    """Give the same, page by page of one snapshot: MySQL has no second query while one is streamed."""
    last = 0
    while part := (await session.execute(query.where(Post.id > last).limit(size))).mappings().all():
        yield part
        last = part[-1]["id"]
