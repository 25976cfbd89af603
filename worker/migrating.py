"""The part of `headrace migrate` that is Alembic's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from worker.schema import migrations

if TYPE_CHECKING:
    from sqlalchemy import Connection


def move(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision, in the connection's transaction."""
    go = command.downgrade if revision == "base" else command.upgrade
    go(config(connection), revision)


def config(connection: Connection | None = None) -> Config:
    """Tell Alembic where the migrations are, and on which connection they run."""
    found = Config()
    found.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found
