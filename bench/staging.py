"""What a batch costs PostgreSQL, copied into its table or by way of a temporary one (docs/decisions/0017).

    .venv/bin/python -m bench.staging [POSTS]

The ways take turns, a batch each, in one table that grows. Microseconds of the server's processor time a row.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import make_url

from models.database import open_database
from worker.embedded import embedded_services
from worker.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    Row = tuple[Any, ...]
    Way = Callable[[asyncpg.Connection[Any], Sequence[Row]], Coroutine[Any, Any, None]]

BATCH = 5_000
NS_PER_US = 1_000
BEGIN = datetime(2012, 1, 1, tzinfo=UTC)
COLUMNS = (
    "id", "site", "external_id", "author_id", "author_external_id", "kind", "content", "score", "word_count",
    "created_at",
)  # fmt: skip
NAMES = ", ".join(COLUMNS)
VALUES = COLUMNS[3:]
DIFFERS = f"({', '.join(f'p.{n}' for n in VALUES)}) IS DISTINCT FROM"
UPSERT = f"""
INSERT INTO posts AS p ({NAMES})
SELECT s.id, s.site, s.external_id, u.id, {", ".join(f"s.{n}" for n in VALUES[1:])}
FROM stage AS s LEFT JOIN users AS u ON u.site = s.site AND u.external_id = s.author_external_id
ON CONFLICT (site, external_id) DO UPDATE SET {", ".join(f"{n} = excluded.{n}" for n in VALUES)}
WHERE {DIFFERS} ({", ".join(f"excluded.{n}" for n in VALUES)})
"""
STORED = f"SELECT {NAMES} FROM posts WHERE site = 's' AND external_id = ANY($1)"
AUTHORS = "SELECT external_id, id FROM users WHERE site = 's' AND external_id = ANY($1)"
CHANGED = f"""
SELECT p.id FROM stage AS s JOIN posts AS p ON p.site = s.site AND p.external_id = s.external_id
WHERE {DIFFERS} ({", ".join(f"s.{n}" for n in VALUES)})
"""


def rows(begin: int) -> list[Row]:
    """Make a batch of new posts."""
    text = "lorem ipsum dolor sit amet consectetur " * 20
    return [
        (n, "s", str(n), 1 + n % 10_000, str(1 + n % 10_000), "question", text, n % 100, 120,
         BEGIN + timedelta(minutes=n))
        for n in range(begin, begin + BATCH)
    ]  # fmt: skip


async def copied(connection: asyncpg.Connection[Any], batch: Sequence[Row]) -> None:
    """Look up what there is, then copy, as the writer does."""
    await connection.fetch(STORED, [row[2] for row in batch])
    await connection.fetch(AUTHORS, list({row[4] for row in batch}))
    await connection.copy_records_to_table("posts", records=batch, columns=COLUMNS)


async def staged(connection: asyncpg.Connection[Any], batch: Sequence[Row]) -> None:
    """Copy into a temporary table, and upsert from there."""
    await connection.copy_records_to_table("stage", records=batch, columns=COLUMNS)
    await connection.execute(UPSERT)
    await connection.execute("TRUNCATE stage")


async def read_back(connection: asyncpg.Connection[Any], batch: Sequence[Row]) -> None:
    """Read the stored rows, to compare them elsewhere."""
    await connection.fetch(STORED, [row[2] for row in batch])


async def sent_there(connection: asyncpg.Connection[Any], batch: Sequence[Row]) -> None:
    """Send the rows, and let the server compare."""
    await connection.copy_records_to_table("stage", records=batch, columns=COLUMNS)
    await connection.fetch(CHANGED)
    await connection.execute("TRUNCATE stage")


async def compare(connection: asyncpg.Connection[Any], posts: int, ways: Sequence[Way]) -> None:
    """Let the ways take turns, and print what each took."""
    schedule = Path(f"/proc/{await connection.fetchval('SELECT pg_backend_pid()')}/schedstat")
    took: dict[str, list[float]] = defaultdict(list)
    for turn, begin in enumerate(range(1, posts, BATCH)):
        way, batch = ways[turn % len(ways)], rows(begin)
        before = int(schedule.read_text().split()[0])
        async with connection.transaction():
            await way(connection, batch)
        took[way.__name__].append((int(schedule.read_text().split()[0]) - before) / NS_PER_US / BATCH)
    for name, each in took.items():
        print(f"{name:10} {sum(each) / len(each):6.2f} us a row")


async def main(posts: int) -> None:
    """Fill a new database."""
    with tempfile.TemporaryDirectory() as home:
        async with embedded_services(Path(home), postgres=True, redis=False) as services:
            url = make_url(services.database_url or "")
            async with open_database(url.render_as_string(), application="staging") as database:
                await migrate(database.engine)
            connection = await asyncpg.connect(
                host=str(url.query["host"]), user=url.username, database=url.database
            )
            await connection.execute(
                "INSERT INTO users (id, site, external_id, reputation)"
                " SELECT n, 's', n::text, 0 FROM generate_series(1, 10000) AS n"
            )
            await connection.execute("CREATE TEMP TABLE stage AS SELECT * FROM posts LIMIT 0")
            # Else a small table is scanned for each batch, which says nothing about a large one.
            await connection.execute("SET enable_hashjoin = off; SET enable_mergejoin = off")
            await compare(connection, posts, (copied, staged))
            await connection.execute("ANALYZE posts")
            await compare(connection, posts, (read_back, sent_there))
            await connection.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
