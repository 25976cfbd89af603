"""Asking for jobs from a service whose SQLAlchemy is not asynchronous."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from jobs.import_requests import ImportPosts
from jobs.requests import RefreshAuthorStats
from jobs.sync_session import enqueue_in
from models import Run, State, Tag
from models.outbox import Unique
from tests.factories import run_of
from worker.dispatcher import dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.resources import Resources

REQUEST = ImportPosts(url="/data/posts.jsonl", site="beer")
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A session of Python's own SQLite driver on the test's database."""
    engine = create_engine(make_url(database_url).set(drivername="sqlite"), poolclass=NullPool)
    with Session(engine) as session:
        yield session


@on_sqlite
async def test_a_run_exists_if_and_only_if_the_callers_transaction_commits(
    resources: Resources, session: Session
) -> None:
    session.add(Tag(name="the caller's own row"))
    enqueue_in(session, REQUEST)
    session.rollback()
    assert session.query(Run).count() == 0
    run_id = enqueue_in(session, REQUEST)
    session.commit()
    assert (await run_of(resources, run_id)).state == State.QUEUED
    assert await dispatch(resources) == 1  # the bell that nobody rang


@on_sqlite
def test_a_unique_key_makes_a_second_ask_return_the_first_run(session: Session) -> None:
    ids = {enqueue_in(session, REQUEST, unique_key="once") for _ in range(3)}
    assert len(ids) == 1
    assert session.query(Run).count() == 1


@on_sqlite
async def test_a_run_is_asked_for_as_the_asynchronous_client_does(
    resources: Resources, session: Session
) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    run_id = enqueue_in(
        session,
        RefreshAuthorStats(),
        unique_key="stale",
        unique=Unique.UNTIL_STARTED,
        run_at=later,
        queue="bulk",
    )
    session.commit()
    other = await resources.client.enqueue(
        RefreshAuthorStats(), unique_key="other", unique=Unique.UNTIL_STARTED, run_at=later, queue="bulk"
    )
    told = ("job", "request", "queue", "state", "run_at", "limit_key", "limit_count")
    ours, theirs = await run_of(resources, run_id), await run_of(resources, other)
    assert [getattr(ours, name) for name in told] == [getattr(theirs, name) for name in told]
