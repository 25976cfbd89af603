"""Run migrations on the connection handed in by `headrace migrate`, or on DATABASE_URL for plain alembic."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from models import Base, open_database
from models.statements import lift_limit
from worker.settings import Settings

# Two releases that start at once migrate one after the other. Any number will do; it names this lock.
MIGRATION_LOCK = 4_857_201_133


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        lift_limit(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": MIGRATION_LOCK})
        context.run_migrations()


async def run_alone() -> None:
    url = Settings().database_url
    if url is None:
        raise SystemExit("alembic: set DATABASE_URL; for the embedded database use `headrace migrate`")
    async with (
        open_database(url, application="headrace alembic") as database,
        database.engine.begin() as connection,
    ):
        await connection.run_sync(run_migrations)


if context.is_offline_mode():
    raise SystemExit("alembic: offline mode is not supported; give a database that can be reached")
handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    run_migrations(handed_in)
else:
    asyncio.run(run_alone())
