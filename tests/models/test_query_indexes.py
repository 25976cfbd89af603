"""The indexes of the queries can be made before the migration, while imports go on."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import text

from models.database import open_database
from tests.models.test_migrations import differences
from worker.schema import migrate

DOCUMENT = Path(__file__).parents[2] / "docs" / "queries.md"


async def test_indexes_that_were_made_concurrently_beforehand_are_found(database_url: str) -> None:
    async with open_database(database_url, application="tests") as database:
        await migrate(database.engine, "base")
        await migrate(database.engine, "0002")
        beforehand = re.findall(r"^CREATE INDEX CONCURRENTLY [^;]*;$", DOCUMENT.read_text(), re.MULTILINE)
        assert len(beforehand) == 3
        for statement in beforehand:
            async with database.statement() as connection:
                await connection.execute(text(statement))
        assert await migrate(database.engine) is not None
        assert await differences(database.engine) == []
