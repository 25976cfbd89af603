"""Migrations and models agree, and migrations go both ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from models import Base
from models.database import open_database
from tests.conftest import command_line, every_database, many_writers
from worker import migrating
from worker.schema import SchemaError, check_schema, known_revisions, migrate
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from worker.resources import Resources


async def differences(engine: AsyncEngine) -> list[str]:
    """List what the models say and the migrated database does not, and the other way round."""

    def compare(sync: Connection) -> list[str]:
        context = MigrationContext.configure(sync, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, Base.metadata)]

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


@every_database
async def test_models_and_migrations_agree(resources: Resources) -> None:
    assert await differences(resources.database.engine) == []


def test_the_revisions_known_by_the_names_of_files_are_alembics() -> None:
    scripts = ScriptDirectory.from_config(migrating.config())
    assert known_revisions() == {script.revision for script in scripts.walk_revisions()}
    assert max(known_revisions()) == scripts.get_current_head()


@every_database
async def test_migrations_go_up_down_and_up_again_inside_a_running_loop(database_url: str) -> None:
    async with open_database(database_url, application="tests") as database:
        assert await migrate(database.engine, "base") is None
        with pytest.raises(SchemaError, match="headrace migrate"):
            await check_schema(database.engine)
        newest = await migrate(database.engine)
        assert newest is not None
        assert await check_schema(database.engine) == newest
        assert await differences(database.engine) == []


async def test_a_newer_schema_is_accepted_and_none_is_refused(resources: Resources) -> None:
    engine = resources.database.engine
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert await check_schema(engine) == "9999"  # of a newer version: old workers go on during a deploy
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(SchemaError, match="headrace migrate"):
        await check_schema(engine)


@many_writers
async def test_two_releases_that_migrate_at_once_do_so_one_after_the_other(
    database_url: str, tmp_path: Path
) -> None:
    async with open_database(database_url, application="tests") as database:
        await migrate(database.engine, "base")
        released = command_line(Settings(database_url=database_url, home=tmp_path), tmp_path)
        both = await asyncio.gather(*(asyncio.to_thread(released, "migrate") for _ in range(2)))
        assert [done.code for done in both] == [0, 0], both
        assert await differences(database.engine) == []


@pytest.mark.parametrize("backend", ["mariadb"], indirect=True)
async def test_every_text_on_mariadb_is_kept_in_utf8_and_compared_exactly(resources: Resources) -> None:
    query = text(
        "SELECT DISTINCT collation_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND collation_name IS NOT NULL"
    )
    async with resources.database.reading() as session:
        assert (await session.scalars(query)).all() == ["utf8mb4_nopad_bin"]
