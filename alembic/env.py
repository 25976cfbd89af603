"""Run migrations on the connection handed in by `headrace migrate`, or on DATABASE_URL for plain alembic."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from models import Base, open_database
from models.statements import lift_limit
from worker.settings import Settings

# Two releases that start at once migrate one after the other. Any number will do; it names this lock.
MIGRATION_LOCK = 4_857_201_133
LOCK_SECONDS = 3_600


@compiles(CreateTable, "mysql", "mariadb")
def exact_table(element: CreateTable, compiler: Any, **kw: Any) -> str:
    """Compare text as the other databases do, by case, accent and trailing space; other defaults do not."""
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    created = compiler.visit_create_table(element, **kw).rstrip()
    return f"{created} ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Wait until nobody else migrates. MySQL's lock is not the transaction's, as each statement commits."""
    dialect, lock = connection.dialect.name, {"id": MIGRATION_LOCK}
    if dialect == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), lock)
    if dialect == "mysql":
        connection.execute(text(f"SELECT GET_LOCK(CONCAT(DATABASE(), :id), {LOCK_SECONDS})"), lock)
    yield
    if dialect == "mysql":
        connection.execute(text("COMMIT"))  # whoever is next must see the version that is reached
        connection.execute(text("SELECT RELEASE_LOCK(CONCAT(DATABASE(), :id))"), lock)


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        lift_limit(connection)
        with alone(connection):
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
