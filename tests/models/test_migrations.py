"""Migrations and models agree, and migrations go both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.database import open_database
from tests.conftest import both_databases
from worker.schema import SchemaError, check_schema, differences, head, migrate

if TYPE_CHECKING:
    from worker.resources import Resources


@both_databases
async def test_models_and_migrations_agree(resources: Resources) -> None:
    assert await differences(resources.database.engine) == []


@both_databases
async def test_migrations_go_up_down_and_up_again_inside_a_running_loop(database_url: str) -> None:
    async with open_database(database_url, application="tests") as database:
        assert await migrate(database.engine, "base") is None
        with pytest.raises(SchemaError, match="headrace migrate"):
            await check_schema(database.engine)
        assert await migrate(database.engine) == head()
        assert await check_schema(database.engine) == head()
        assert await differences(database.engine) == []
