"""The database schema: bring it up to date, and say how far it is."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from models.revision import revision_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


class SchemaError(Exception):
    """The database's schema does not fit this version of Headrace."""


def migrations() -> Path:
    """Find the folder of the migrations: an installed wheel has it in the package, a checkout beside it."""
    inside = Path(__file__).parent / "migrations"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "alembic"


async def migrate(engine: AsyncEngine, revision: str = "head") -> str | None:
    """Bring the database to a revision, in one transaction where the database can; also inside a loop."""
    # Alembic and its templates take a fifth of a second to import, which no other command should wait for.
    migrating = import_module("worker.migrating")
    async with engine.begin() as connection:
        await connection.run_sync(migrating.move, revision)
    return await revision_of(engine)


@cache
def known_revisions() -> frozenset[str]:
    """Name the revisions that this version knows: the numbers that its migrations' files begin with."""
    return frozenset(path.name.partition("_")[0] for path in (migrations() / "versions").glob("[0-9]*_*.py"))


async def check_schema(engine: AsyncEngine) -> str:
    """Give the database's revision.

    A revision that is not known here belongs to a newer version, whose migrations keep old workers working
    during a rolling deploy.

    Raises:
        SchemaError: the schema is missing or older than this version needs.

    """
    at = await revision_of(engine)
    if at is None:
        raise SchemaError("the database has no Headrace tables yet; run `headrace migrate`")
    known = known_revisions()
    newest = max(known)
    if at != newest and at in known:
        raise SchemaError(f"the schema is at {at} and must be at {newest}; run `headrace migrate`")
    return at
