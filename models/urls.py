"""How databases are named."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+asyncmy",
    "mysql+aiomysql": "mysql+asyncmy",
    "mariadb": "mysql+asyncmy",
}

PGBOUNCER = "pgbouncer"
"""The parameter that says, as true, that connections go through PgBouncer in transaction mode."""


def async_url(url: str) -> URL:
    """Read a database URL; a plain `postgresql://`, `sqlite://` or `mysql://` means its async driver.

    Raises:
        ValueError: the URL cannot be read, names a driver that is not asynchronous, or says of `pgbouncer`
            neither true nor false.

    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError("not a database URL; expected e.g. postgresql://user@host/name") from error
    name = DRIVERS.get(parsed.drivername, parsed.drivername)
    if name not in DRIVERS.values():
        raise ValueError(f"unknown database driver {parsed.drivername!r}; use postgresql, sqlite or mysql")
    parsed = parsed.set(drivername=name)
    if name == DRIVERS["postgresql"] and "sslmode" in parsed.query:
        # libpq's name for it, as hosted databases hand it out; asyncpg takes the same values as `ssl`.
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return _with_pgbouncer_or_without(parsed)


def _with_pgbouncer_or_without(url: URL) -> URL:
    said = url.query.get(PGBOUNCER)
    if said not in {None, "true", "false"}:
        raise ValueError("pgbouncer= in a database URL is true or false")
    if said == "true" and url.get_backend_name() != "postgresql":
        raise ValueError("pgbouncer=true is for PostgreSQL")
    return url.difference_update_query([PGBOUNCER]) if said == "false" else url
