"""Whatever comes in which order, both writers leave the same behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from jobs.sources.record import PostRecord, UserRecord
from jobs.writers.posts import write_posts
from jobs.writers.users import write_users
from models import Post, StaleAuthor, Tag, User, post_tags
from models.author_stats import mark_stale
from models.post import link_authors, link_parents
from models.run_file import Origin
from tests.factories import NOON, post, user, writer_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.writers.written import Written
    from worker.resources import Resources

KEYS = st.sampled_from("abcd")
MOMENTS = st.integers(0, 2).map(lambda day: NOON + timedelta(days=day, microseconds=day))
TEXTS = st.none() | st.sampled_from(
    ["", "one", "two words", "<p>\t\\N\n\r\x01 \N{SNOWMAN}</p>", "\U0001f600"]
)
USERS = st.builds(
    user,
    KEYS,
    name=TEXTS,
    email=TEXTS,
    reputation=st.sampled_from([0, -1, 2**63 - 1, -(2**63)]),
    created_at=st.none() | MOMENTS,
)
POSTS = st.builds(
    post,
    KEYS,
    author=st.none() | KEYS,
    author_name=TEXTS,
    parent_external_id=st.none() | KEYS,
    kind=st.sampled_from(["question", "answer"]),
    title=TEXTS,
    content=TEXTS,
    score=st.sampled_from([0, 1, 2**31 - 1, -(2**31)]),
    created_at=MOMENTS,
    tags=st.lists(st.sampled_from("xyz"), unique=True).map(tuple),
)
BATCHES = st.lists(st.lists(USERS, max_size=6) | st.lists(POSTS, max_size=8), max_size=6)


async def write(
    session: AsyncSession, batches: Sequence[Sequence[Any]], site: str, writer: Any
) -> list[Written]:
    """Write batches and link what arrived late, as an import does."""
    written = []
    for batch in batches:
        users = [record for record in batch if isinstance(record, UserRecord)]
        posts = [record for record in batch if isinstance(record, PostRecord)]
        written.append(await write_users(writer, session, Origin(site), users))
        written.append(await write_posts(writer, session, Origin(site), posts))
    await mark_stale(session, await link_authors(session, site, 100))
    await link_parents(session, site, 100)
    return written


async def kept(session: AsyncSession, site: str) -> dict[str, Any]:
    """Read all that is kept of a site, without the keys that differ from site to site."""
    users = select(User.external_id, User.name, User.email, User.reputation, User.created_at)
    above = Post.__table__.alias("above")
    posts = (
        select(*(c for c in Post.__table__.c if c.name not in {"id", "site", "author_id", "parent_id"}))
        .add_columns(User.external_id, above.c.external_id)
        .outerjoin(User, User.id == Post.author_id)
        .outerjoin(above, above.c.id == Post.parent_id)
    )
    links = (
        select(Post.external_id, Tag.name)
        .join(post_tags, post_tags.c.post_id == Post.id)
        .join(Tag, Tag.id == post_tags.c.tag_id)
    )
    stale = select(User.external_id).join(StaleAuthor, StaleAuthor.author_id == User.id)
    queries = {
        "users": users.where(User.site == site),
        "posts": posts.where(Post.site == site),
        "links": links.where(Post.site == site),
        "stale": stale.where(User.site == site),
    }
    return {name: sorted((await session.execute(query)).all(), key=repr) for name, query in queries.items()}


@given(batches=BATCHES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_batches_end_in_the_same_tables_and_counts_by_either_writer(
    resources: Resources, batches: list[list[UserRecord | PostRecord]]
) -> None:
    async with resources.database.writing() as session:
        by_objects = await write(session, batches, "objects", writer_for(resources.database, "add_all"))
        by_copy = await write(session, batches, "copy", writer_for(resources.database, "copy"))
        assert by_copy == by_objects
        assert await kept(session, "copy") == await kept(session, "objects")
        assert await session.scalar(select(func.count()).select_from(Post)) == 2 * len(
            {record.external_id for batch in batches for record in batch if isinstance(record, PostRecord)}
        )
