"""The database schema: bring it up to date, and say how far it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine


class SchemaError(Exception):
    """The database's schema does not fit this version of Headrace."""


def _config(connection: Connection | None = None) -> Config:
    # An installed wheel carries the migrations inside the package, a checkout beside it.
    inside = Path(__file__).parent / "migrations"
    folder = inside if inside.is_dir() else Path(__file__).parent.parent / "alembic"
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def current(engine: AsyncEngine) -> str | None:
    """Name the revision that the database is at; None means that it was never migrated."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def migrate(engine: AsyncEngine, revision: str = "head") -> str | None:
    """Bring the database to a revision, in one transaction where the database can; also inside a loop."""
    async with engine.begin() as connection:
        move = command.downgrade if revision == "base" else command.upgrade
        await connection.run_sync(lambda sync: move(_config(sync), revision))
    return await current(engine)


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """Name the newest revision of this version and all that it knows; readiness asks every few seconds."""
    scripts = ScriptDirectory.from_config(_config())
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return scripts.get_current_head(), known


async def check_schema(engine: AsyncEngine) -> str:
    """Give the database's revision.

    A revision that is not known here belongs to a newer version, whose migrations keep old workers working
    during a rolling deploy.

    Raises:
        SchemaError: the schema is missing or older than this version needs.

    """
    at = await current(engine)
    if at is None:
        raise SchemaError("the database has no Headrace tables yet; run `headrace migrate`")
    newest, known = _revisions()
    if at != newest and at in known:
        raise SchemaError(f"the schema is at {at} and must be at {newest}; run `headrace migrate`")
    return at
