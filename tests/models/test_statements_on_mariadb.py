"""On MariaDB statements carry the run's name and the limit of time, and streams may be long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models import open_database
from models.dialect import Fault, fault_of, is_away
from models.statements import has_run_too_long

if TYPE_CHECKING:
    from worker.resources import Resources

on_mariadb = pytest.mark.parametrize("backend", ["mariadb"], indirect=True)
SLEEPY = text("SELECT id, sleep(0.02) FROM generated").execution_options(yield_per=5)


@on_mariadb
async def test_a_statement_that_takes_too_long_is_ended_and_said_to_be(database_url: str) -> None:
    async with (
        open_database(database_url, application="tests", statement_seconds=0.1) as database,
        database.reading() as session,
    ):
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text("SELECT sleep(30)"))
        assert has_run_too_long(caught.value)
        assert (fault_of(caught.value), is_away(caught.value)) == (Fault.OTHER, False)


@on_mariadb
async def test_a_stream_may_take_longer(resources: Resources, database_url: str) -> None:
    async with resources.database.writing.begin() as session:
        await session.execute(text("CREATE TABLE generated (id INT)"))
        await session.execute(text("INSERT INTO generated VALUES (:id)"), [{"id": n} for n in range(20)])
    async with (
        open_database(database_url, application="tests", statement_seconds=0.1) as database,
        database.reading(tag="headrace export_rows 1a2b3c4d") as session,
    ):
        assert len([row async for row in await session.stream(SLEEPY)]) == 20


@on_mariadb
async def test_the_server_sees_whose_statement_it_is(database_url: str) -> None:
    shown = text("SELECT info FROM information_schema.processlist WHERE id = connection_id()")
    async with (
        open_database(database_url, application="tests") as database,
        database.writing(tag="headrace import_dump 1a2b3c4d") as session,
    ):
        assert "/* headrace import_dump 1a2b3c4d */" in str(await session.scalar(shown))
