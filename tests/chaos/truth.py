"""What a database holds in the end, in natural keys: two imports of one dump must come to the same."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import aliased

from models import AuthorStats, Post, Receipt, Reject, Run, StaleAuthor, Tag, User, post_tags
from models.author_stats import FIGURES
from models.receipt import COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Executable

    from models import Database

Rows = Counter[tuple[Any, bytes]]  # the row's natural key and a digest of all of it: how often it is there
EXAMPLES = 3

PARENT = aliased(Post)
TABLES: dict[str, Executable] = {
    "users": select(User.site, User.external_id, User.name, User.email, User.reputation, User.created_at),
    "posts": select(
        Post.site,
        Post.external_id,
        User.external_id,
        Post.author_external_id,
        Post.author_name,
        PARENT.external_id,
        Post.parent_external_id,
        Post.kind,
        Post.title,
        Post.content,
        Post.score,
        Post.word_count,
        Post.created_at,
    )
    .outerjoin(User, User.id == Post.author_id)
    .outerjoin(PARENT, PARENT.id == Post.parent_id),
    "tags": select(Tag.name),
    "post_tags": select(Post.external_id, Tag.name)
    .select_from(post_tags)
    .join(Post, Post.id == post_tags.c.post_id)
    .join(Tag, Tag.id == post_tags.c.tag_id),
    "author_stats": select(User.site, User.external_id, *(getattr(AuthorStats, name) for name in FIGURES))
    .select_from(AuthorStats)
    .join(User, User.id == AuthorStats.author_id),
    "stale_authors": select(User.external_id)
    .select_from(StaleAuthor)
    .join(User, User.id == StaleAuthor.author_id),
    "rejects": select(Reject.file_number, Reject.position, Reject.entity, Reject.rule, Reject.raw),
    "receipts": select(
        Run.job, Receipt.entity, *(getattr(Receipt, name) for name in COUNTS), Receipt.unknown_fields
    )
    .select_from(Receipt)
    .join(Run, Run.id == Receipt.run_id),
}


async def truth(database: Database) -> dict[str, Rows]:
    """Read what is compared of a database."""
    return {table: await _rows(database, query) for table, query in TABLES.items()}


async def _rows(database: Database, query: Executable) -> Rows:
    found: Rows = Counter()
    async with database.reading() as session:
        async for row in await session.stream(query):
            found[row[:2], blake2b(repr(tuple(map(_plain, row))).encode(), digest_size=8).digest()] += 1
    return found


def _plain(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, dict) else value


def differences(found: Mapping[str, Rows], expected: Mapping[str, Rows]) -> list[str]:
    """Say for each table what is missing and what is too much, with a few examples."""
    return [
        f"{table}: {more.total()} {what}, e.g. {[key for key, _ in list(more)[:EXAMPLES]]}"
        for table in expected
        for what, more in (
            ("missing or other", expected[table] - found[table]),
            ("too many or other", found[table] - expected[table]),
        )
        if more
    ]
