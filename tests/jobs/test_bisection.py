"""Of a batch that the database refuses, the bad records alone are left out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from jobs.errors import BatchConflictError
from jobs.writers.bisection import write_or_bisect
from jobs.writers.posts import write_posts
from jobs.writers.users import write_users
from jobs.writers.written import Written
from models import Tag, User
from tests.conftest import every_database, many_writers
from tests.factories import ORIGIN, post, store, user, writer_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.run_file import Origin
    from worker.resources import Resources


@every_database
async def test_records_that_the_database_refuses_stand_alone_and_the_rest_is_kept(
    resources: Resources,
) -> None:
    records = [user(n, name="x" * 300 if n in {3, 7} else "ok") for n in range(9)]

    async def picky(session: Any, origin: Origin, part: Sequence[Any]) -> Written:
        written = await write_users(writer_for(resources.database), session, origin, part)
        if any(len(record.name) > 255 for record in part):
            # SQLite does not check lengths; both refuse a null in a key.
            await session.execute(insert(User).values(site=None, external_id="x", reputation=0))
        return written

    async with resources.database.writing.begin() as session:
        written, refused = await write_or_bisect(session, ORIGIN, records, picky)
    assert written == Written(inserted=7)
    assert {bad.rule for bad in refused} == {"database"}
    async with resources.database.reading() as session:
        kept = set((await session.scalars(select(User.external_id))).all())
    assert kept == {str(n) for n in range(9)} - {"3", "7"}


@many_writers
async def test_a_key_that_another_import_inserted_first_is_a_conflict_not_a_reject(
    resources: Resources,
) -> None:
    async def late(session: Any, origin: Origin, part: Sequence[Any]) -> Written:
        await store(resources.database, *part)
        session.add(User(site=origin.site, external_id=part[0].external_id, reputation=0))
        await session.flush()
        return Written(inserted=1)

    async with resources.database.writing() as session:
        with pytest.raises(BatchConflictError):
            await write_or_bisect(session, ORIGIN, [user(1)], late)


@pytest.mark.parametrize("changed", [False, True])
async def test_copy_refuses_a_value_that_is_too_long_instead_of_cutting_it(
    resources: Resources, *, changed: bool
) -> None:
    if changed:
        await store(resources.database, user(1), user(2))
    write = partial(write_users, writer_for(resources.database, "copy"))
    async with resources.database.writing.begin() as session:
        records = [user(1, name="x" * 256), user(2, name="new")]
        written, refused = await write_or_bisect(session, ORIGIN, records, write)
    assert written == (Written(updated=1) if changed else Written(inserted=1))
    assert [bad.rule for bad in refused] == ["database"]
    async with resources.database.reading() as session:
        assert "new" in (await session.scalars(select(User.name))).all()


async def test_a_post_that_is_refused_makes_no_author(resources: Resources) -> None:
    records = [
        msgspec.structs.replace(post(n, n % 3, title="x" * 1_001 if n == 5 else "ok"), author=user(n % 3))
        for n in range(6)
    ]
    write = partial(write_posts, writer_for(resources.database))
    async with resources.database.writing.begin() as session:
        written, refused = await write_or_bisect(session, ORIGIN, records, write)
    assert [bad.rule for bad in refused] == ["database"]
    assert (written.read, written.inserted) == (5, 5)
    assert written.authors is not None
    assert (written.authors.read, written.authors.inserted) == (5, 3)


@many_writers
async def test_an_error_that_is_not_about_rows_is_not_bisected(resources: Resources) -> None:
    calls = []

    async def broken(session: Any, _site: str, part: Sequence[Any]) -> Written:
        calls.append(len(part))
        await session.execute(Tag.__table__.select().where(func.no_such_function()))
        return Written()

    async with resources.database.writing() as session:
        with pytest.raises(DBAPIError):
            await write_or_bisect(session, ORIGIN, [user(1), user(2)], broken)
    assert calls == [2]


@pytest.mark.parametrize("backend", ["mariadb"], indirect=True)
async def test_a_record_that_is_too_large_for_the_server_is_a_reject_and_the_others_are_loaded(
    resources: Resources,
) -> None:
    async with resources.database.writing.begin() as session:
        most = await session.scalar(text("SELECT @@max_allowed_packet"))
        records = [
            post("large", content="'" * (most // 2)),
            *(post(n, content="\n" * 1_000_000) for n in range(12)),
        ]
        written, refused = await write_or_bisect(
            session, ORIGIN, records, partial(write_posts, writer_for(resources.database))
        )
    assert written.inserted == 12
    assert [(bad.rule, "max_allowed_packet" in bad.reason) for bad in refused] == [("database", True)]
