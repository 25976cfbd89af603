"""Plain arq messages: each becomes a run; one that nobody can carry out becomes a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from arq.connections import create_pool
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from sqlalchemy import select

from models import Run, State, User
from tests.conftest import every_database, many_writers
from worker.main import run_worker

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from tests.conftest import CommandLine
    from worker.resources import Resources


async def deliver(resources: Resources, message: bytes | None, name: bytes | None = None) -> UUID:
    """Put a message into the queue as another service would."""
    redis: ArqRedis | None = resources.redis
    assert redis is not None
    name = name or uuid4().hex.encode()  # as arq names its messages
    key = job_key_prefix.encode() + name
    if message is not None:
        await redis.set(key, message)
    await redis.zadd(resources.settings.queue, {name: 1})
    await run_worker(resources, burst=True)
    assert await redis.zcard(resources.settings.queue) == 0
    assert await redis.exists(key) == 0
    async with resources.database.reading() as session:
        return (await session.scalars(select(Run.id))).one()


async def run_in(resources: Resources, run_id: UUID) -> Run:
    async with resources.database.reading() as session:
        return await session.get_one(Run, run_id)


PICKLED = serialize_job("import_posts", (), {"url": "/x", "site": "beer"}, None, 1)
LETTERS: list[tuple[Any, str, str]] = [
    (b'{"t":1,"f":"make_coffee","a":[],"k":{"cups":2},"et":1}', "make_coffee", "unknown job 'make_coffee'"),
    (b'{"t":1,"f":"import_posts","a":[],"k":{"cups":2},"et":1}', "import_posts", "unreadable request: "),
    (PICKLED, "unreadable", "the message is not JSON"),
    (b"[1, 2]", "unreadable", "the message is not JSON"),
    (b'{"f": 1, "a": [], "k": [1]}', "unreadable", "the message is not JSON"),
    (b'{"t":1,"f":"import_posts","a":[],"k":{"size":NaN},"et":1}', "unreadable", "the message is not JSON"),
    (b'{"t":1,"f":"import\\u0000posts","a":[],"k":{},"et":1}', "unreadable", "the message is not JSON"),
    (b'{"t":1,"f":"\\ud800","a":[],"k":{},"et":1}', "unreadable", "the message is not JSON"),
    (b"\xff\xfe" * 100_000, "unreadable", "the message is not JSON"),
    (
        b'{"t":1,"f":"import_records","a":[],"k":{"site":"s","users":[%s{}]},"et":1}' % (b"{}," * 1_000),
        "import_records",
        "unreadable request: holds 1,001 records",
    ),
    (
        b'{"t":1,"f":"import_records","a":[],"k":{}}' + b" " * 2**23,
        "unreadable",
        "the message is larger than 8",
    ),
    (None, "unreadable", "the message expired in Redis"),
]


@every_database
@pytest.mark.parametrize(("message", "job", "error"), LETTERS)
async def test_a_message_that_cannot_be_carried_out_becomes_a_dead_letter(
    resources: Resources, message: bytes | None, job: str, error: str
) -> None:
    run = await run_in(resources, await deliver(resources, message))
    assert (run.state, run.job) == (State.FAILED, job)
    assert (run.error or "").startswith(error)
    assert run.finished_at is not None


@many_writers
async def test_an_id_that_is_no_text_stops_no_worker(resources: Resources) -> None:
    message = b'{"t":1,"f":"refresh_author_stats","a":[],"k":{},"et":1}'
    run = await run_in(resources, await deliver(resources, message, name=b"\xff\xfe\x00"))
    assert run.state == State.SUCCEEDED


@every_database
async def test_records_may_come_by_plain_arq(resources: Resources) -> None:
    users = b'[{"external_id": 1, "name": "Ada"}]'
    message = b'{"t":1,"f":"import_records","a":[],"k":{"site":"s","users":%s},"et":1}' % users
    name = uuid4().hex.encode()
    redis: ArqRedis | None = resources.redis
    assert redis is not None
    await redis.set(job_key_prefix.encode() + name, message)
    await redis.zadd(resources.settings.queue, {name: 1})
    await run_worker(resources, burst=True)
    run = await run_in(resources, UUID(name.decode()))
    assert run.state == State.SUCCEEDED
    async with resources.database.reading() as session:
        assert (await session.scalars(select(User.name))).one() == "Ada"


async def test_a_dead_letter_keeps_what_the_message_held(resources: Resources) -> None:
    run = await run_in(resources, await deliver(resources, PICKLED))
    assert run.request["raw"].encode("latin-1") == PICKLED


@many_writers
async def test_dead_letters_are_listed_whatever_the_way_they_died(
    resources: Resources, headrace: CommandLine
) -> None:
    run_id = await deliver(resources, b"not json", name=b"nightly")
    listed = headrace("runs", "--state", "failed", "--json")
    assert [run["run_id"] for run in listed.json] == [str(run_id)]
    assert headrace("retry", run_id).code == 0  # it fails again, with the reason
    assert headrace("worker", "--burst").code == 0
    again = await run_in(resources, run_id)
    assert again.state == State.FAILED
    assert "unknown job 'unreadable'" in (again.error or "")


async def test_an_adopted_import_waits_in_the_queue_of_its_job(resources: Resources) -> None:
    message = b'{"t":1,"f":"import_posts","a":[],"k":{"url":"/none","site":"beer"},"et":1}'
    run = await run_in(resources, await deliver(resources, message))
    assert (run.queue, run.state) == ("bulk", State.FAILED)
    assert "/none" in (run.error or "")


async def test_a_plain_asker_needs_nothing_of_ours(resources: Resources) -> None:
    """Stock arq with JSON in both directions and our queue's name, nothing else."""
    import json  # noqa: PLC0415 - what the asker imports

    from arq.connections import RedisSettings  # noqa: PLC0415

    pool = await create_pool(
        RedisSettings.from_dsn(resources.settings.redis_url or ""),
        job_serializer=lambda value: json.dumps(value).encode(),
        job_deserializer=json.loads,
        default_queue_name=resources.settings.queue,
    )
    job = await pool.enqueue_job("refresh_author_stats", _defer_by=0.2)
    await pool.aclose(close_connection_pool=True)
    assert job is not None
    await run_worker(resources, burst=True)
    run = await run_in(resources, UUID(job.job_id))
    assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
