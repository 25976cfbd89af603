"""Which server a database is, and what of it an operator should know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL"}
# MariaDB lacks SKIP LOCKED before, MySQL a collation that does not pad, SQLite RETURNING.
LEAST = {"PostgreSQL": (13,), "MySQL": (8, 0, 17), "MariaDB": (10, 6), "SQLite": (3, 35)}


@dataclass(frozen=True, slots=True)
class Server:
    """A server, or SQLite's library, and its version."""

    name: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        """Name it as an operator would."""
        return f"{self.name} {_dotted(self.version)}"

    @property
    def complaint(self) -> str | None:
        """Say what is wrong with it, if it is too old for Headrace."""
        least = LEAST[self.name]
        return f"{self} is too old; it must be at least {_dotted(least)}" if self.version < least else None


def server_of(engine: AsyncEngine) -> Server:
    """Tell the server of an engine that has connected before."""
    dialect: Any = engine.dialect
    name = "MariaDB" if getattr(dialect, "is_mariadb", False) else NAMES[dialect.name]
    return Server(name, tuple(part for part in dialect.server_version_info if isinstance(part, int)))


async def setting_of(engine: AsyncEngine, name: str) -> str:
    """Read a variable of MySQL (`@@name`) or a pragma of SQLite."""
    query = text(f"PRAGMA {name}" if engine.dialect.name == "sqlite" else f"SELECT @@{name}")
    async with engine.connect() as connection:
        return str((await connection.execute(query)).scalar_one())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
