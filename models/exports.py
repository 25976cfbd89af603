"""What leaves the database: the columns of an exported row, streamed in partitions in the order of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.types import NullType

from models.author_stats import FIGURES, authors
from models.dialect import MYSQL, dialect_of
from models.post import Post
from models.tag import Tag, linked_tags, post_tags
from models.tag_names import TagNames
from models.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    Columns = dict[str, Sequence[Any]]

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
# Columns of tables, not of mapped classes, whose rows take half as long again.
TABLES = {
    "users": User.__table__,
    "posts": Post.__table__,
    "tags": Tag.__table__,
    "authors": User.__table__,
}


class Partition(NamedTuple):
    """Some rows, column by column: named and ordered as in EXPORTS; how many, and the key of the last."""

    columns: Columns
    rows: int
    last_key: int


def query_of(entity: str, site: str | None, after: int = 0) -> Select[Any]:
    """Select the rows of an export behind a key, and their keys as `row_key`; tags belong to no site.

    The tags of posts are not among the columns.
    """
    key = TABLES[entity].c.id
    return _rows_of(entity, site).add_columns(key.label("row_key")).where(key > after).order_by(key)


def _rows_of(entity: str, site: str | None) -> Select[Any]:
    if entity == "authors":
        return authors(site)
    columns = TABLES[entity].c
    query = select(*(columns[name] for name in EXPORTS[entity] if name != "tags"))
    return query.where(columns.site == site) if site and entity != "tags" else query


async def partitions(
    session: AsyncSession, entity: str, site: str | None, size: int, after: int = 0
) -> AsyncGenerator[Partition]:
    """Stream the rows of an export behind a key, `size` at a time; tags in the order of their code points."""
    query = query_of(entity, site, after)
    parts = _posts(session, query, size, after) if entity == "posts" else _streamed(session, query, size)
    names = TagNames(session)
    async for columns in parts:
        if entity == "posts":
            columns["tags"] = await names.of(await _tag_ids_of(session, columns))
        keys = columns["row_key"]
        yield Partition({name: columns[name] for name in EXPORTS[entity]}, len(keys), keys[-1])


def _posts(session: AsyncSession, query: Select[Any], size: int, after: int) -> AsyncIterator[Columns]:
    dialect = dialect_of(session)
    if dialect in MYSQL:
        return _pages(session, query, size)
    return _streamed(session, _with_tag_ids(query, after) if dialect == "postgresql" else query, size)


def _with_tag_ids(query: Select[Any], after: int) -> Select[Any]:
    """Add the ids of each post's tags: PostgreSQL walks through both tables side by side, by their keys.

    The driver gives lists; SQLAlchemy's own type of an array would look at each of their items once more.
    """
    ids = func.array_agg(post_tags.c.tag_id, type_=NullType()).label("tag_ids")
    links = select(post_tags.c.post_id, ids).where(post_tags.c.post_id > after)
    linked = links.group_by(post_tags.c.post_id).subquery("linked")
    return query.outerjoin(linked, linked.c.post_id == Post.id).add_columns(linked.c.tag_ids)


async def _tag_ids_of(session: AsyncSession, columns: Columns) -> Sequence[Sequence[int] | None]:
    """Give the ids of the tags of each row, None for none."""
    if "tag_ids" in columns:
        return columns["tag_ids"]
    keys = columns["row_key"]
    links = await linked_tags(session, keys)
    return [list(links.get(key, ())) for key in keys]


async def _streamed(session: AsyncSession, query: Select[Any], size: int) -> AsyncIterator[Columns]:
    result = await session.stream(query.execution_options(yield_per=size))
    async for rows in result.partitions():
        yield _by_column(rows)


async def _pages(session: AsyncSession, query: Select[Any], size: int) -> AsyncIterator[Columns]:
    """Give posts page by page of one snapshot: MySQL has no second query while one is streamed."""
    page = query.limit(size)
    while rows := (await session.execute(page)).all():
        yield _by_column(rows)
        page = query.where(Post.id > rows[-1].row_key).limit(size)


def _by_column(rows: Sequence[Row[*tuple[Any, ...]]]) -> Columns:
    return dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))
