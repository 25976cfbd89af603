"""Where a loader is measured: a new database with authors and tags, and the files of the posts."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from bench.loading.posts import SITE, TAGS, authors_of
from bench.loading.running import cpu_seconds_of, run
from bench.processes import BenchError
from models.database import open_database
from worker.embedded.wheels import postgres_program
from worker.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import psutil

    from bench.loading.files import Files
    from bench.loading.running import Ran
    from bench.services import Services

USERS = """
INSERT INTO users (id, site, external_id, name, reputation, created_at)
SELECT n, $1, n::text, 'User ' || n, n % 5000, timestamptz '2009-01-01' + n * interval '1 minute'
FROM generate_series(1, $2::int) AS n
"""
TAG_NAMES = "INSERT INTO tags (id, name) SELECT * FROM unnest($1::bigint[], $2::text[])"
SEQUENCES = "SELECT setval(pg_get_serial_sequence(t, 'id'), $2) FROM unnest($1::text[]) AS t"
RUN_SECONDS = """
SELECT extract(epoch FROM finished_at - started_at)::float8 FROM runs
WHERE job = $1 ORDER BY created_at DESC LIMIT 1
"""
HAVE_ROWS = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
# The same for all who loaded the same posts, whatever their primary keys are.
FINGERPRINT = """
SELECT count(*), sum(hashtextextended(row(
  p.site, p.external_id, p.author_external_id, author.external_id, p.author_name, p.parent_external_id,
  parent.external_id, p.kind, p.title, p.content, p.score, p.word_count, p.created_at, t.names
)::text, 0)) AS hash
FROM posts AS p
LEFT JOIN users AS author ON author.id = p.author_id
LEFT JOIN posts AS parent ON parent.id = p.parent_id
LEFT JOIN (SELECT post_id, string_agg(name, ' ' ORDER BY name) AS names
           FROM post_tags JOIN tags ON tags.id = tag_id GROUP BY post_id) AS t ON t.post_id = p.id
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What one step took."""

    seconds: float
    """The work alone, as who did it says: without the start of its program."""
    command_seconds: float
    """The whole program."""
    cpu_seconds: float
    """Of the program's processes."""
    server_cpu_seconds: float
    """Of PostgreSQL, from the program's start to its end."""
    peak_bytes: int = 0
    """The largest resident memory of the program's process."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One database, the number of posts that go into it, and the PostgreSQL that serves it."""

    variables: Mapping[str, str]
    files: Files
    posts: int
    folder: Path
    server: psutil.Process

    @property
    def url(self) -> str:
        """The database for whoever speaks libpq's language."""
        return self.variables["DATABASE_URL"]

    async def psql(self, *commands: str) -> Took:
        """Have psql carry out commands, one transaction each; its work is all that it does."""
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url)
        words = (postgres_program("psql"), *options, *(word for one in commands for word in ("-c", one)))
        took, _ = await self.timed(*words)
        return took

    async def python(self, module: str, *words: object) -> tuple[Took, dict[str, Any]]:
        """Run a module of ours that prints JSON with the `seconds` of its work."""
        took, ran = await self.timed(sys.executable, "-m", module, *words)
        said = json.loads(ran.out.splitlines()[-1])
        return with_seconds(took, said["seconds"]), said

    async def headrace(self, job: str, *words: object) -> Took:
        """Run a command that carries out a job; its work is the run as the ledger has it."""
        took, _ = await self.timed(sys.executable, "-m", "worker", *words)
        async with self.connection() as connection:
            return with_seconds(took, await connection.fetchval(RUN_SECONDS, job))

    async def timed(self, *words: object) -> tuple[Took, Ran]:
        """Run a program on a database at rest."""
        await self.rest()
        before = cpu_seconds_of(self.server)
        ran = await run(words, self.variables, self.folder)
        on_server = cpu_seconds_of(self.server) - before
        return Took(ran.seconds, ran.seconds, ran.cpu_seconds, on_server, ran.peak_bytes), ran

    async def rest(self) -> None:
        """Let nobody pay for what was done before."""
        async with self.connection() as connection:
            # A table that is known to be empty is scanned for each foreign key, by a plan that is then kept.
            await connection.execute(f"VACUUM ANALYZE {await connection.fetchval(HAVE_ROWS)}")
            await connection.execute("CHECKPOINT")

    async def execute(self, statement: str, *values: object) -> None:
        """Carry out a statement that is not measured."""
        async with self.connection() as connection:
            await connection.execute(statement, *values)

    async def check_whole(self) -> None:
        """Make sure that the tables hold exactly the posts.

        Raises:
            BenchError: they hold something else.

        """
        async with self.connection() as connection:
            count, fingerprint = await connection.fetchrow(FINGERPRINT)
        note = self.folder / f"fingerprint-{self.posts}"
        if not note.exists():
            note.write_text(str(fingerprint))
        if count != self.posts or note.read_text() != str(fingerprint):
            raise BenchError(f"{count:,} posts were loaded, and not the {self.posts:,} that others loaded")

    async def fill(self) -> None:
        """Make the tables, with the authors and the tags that the posts refer to."""
        async with open_database(self.url, application="bench") as database:
            await migrate(database.engine)
        users = authors_of(self.posts)
        await self.execute(USERS, SITE, users)
        await self.execute(TAG_NAMES, range(1, len(TAGS) + 1), TAGS)
        await self.execute(SEQUENCES, ["users", "tags"], users + len(TAGS))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """Connect for a short while."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()


def with_seconds(took: Took, seconds: float) -> Took:
    """Put the seconds of the work itself in place of the program's."""
    return Took(seconds, took.command_seconds, took.cpu_seconds, took.server_cpu_seconds, took.peak_bytes)


@asynccontextmanager
async def open_stage(
    services: Services, server: psutil.Process, files: Files, posts: int
) -> AsyncIterator[Stage]:
    """Make a new database, filled for so many posts."""
    async with services.emptied() as variables:
        stage = Stage(variables, files, posts, files.folder, server)
        await stage.fill()
        yield stage
