"""One private MariaDB for all test processes, on a socket of its own, and gone with the last of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncmy
from sqlalchemy import URL

from models.database import open_database
from worker.embedded import locks, processes
from worker.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import psutil

TEMPLATE = "template"
START_SECONDS = 150.0  # on a machine that is busy with other work as well
INSTALL_LOCK = Path(tempfile.gettempdir()) / f"headrace-mariadb-install-{os.geteuid()}.lock"
# Nothing outlives the tests, so nothing has to reach the disk; a killed server, unlike a killed machine,
# loses nothing by it. The character set is the oldest default there is: what we create must not rely on it.
OPTIONS = (
    "--innodb-flush-log-at-trx-commit=2",
    "--loose-innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--skip-sync-frm",
    "--innodb-buffer-pool-size=128M",
    "--innodb-log-file-size=32M",
    "--max-connections=300",
    "--skip-networking",
    "--skip-name-resolve",
    "--character-set-server=latin1",
)


@dataclass(frozen=True, slots=True)
class MariaDb:
    """A server in a folder of its own."""

    folder: Path

    def url(self, database: str) -> str:
        """Give the URL of one of its databases, as a user would write it."""
        url = URL.create("mysql", "root", host="localhost", database=database)
        return url.update_query_dict({"unix_socket": str(self.folder / "socket")}).render_as_string()

    def create(self) -> None:
        """Make the folder's database; root gives it to nobody, as whom the server will run."""
        if not os.geteuid():
            shutil.chown(self.folder, "nobody")
        how = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        # Several test runs that make theirs at once have been in each other's way.
        with locks.exclusive(INSTALL_LOCK, seconds=START_SECONDS):
            subprocess.run(["mariadb-install-db", *self._where(), *how], check=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        files = {"socket": "socket", "pid-file": "pid", "log-error": "log"}
        ours = [f"--{option}={self.folder / name}" for option, name in files.items()]
        # In a session of its own, and nobody's child: whichever test process ends last stops it.
        command = ["setsid", "--fork", "mariadbd", *self._where(), *ours, *OPTIONS]
        subprocess.run(command, check=True)
        if not processes.wait_until(self._answers, seconds=START_SECONDS):
            raise RuntimeError(f"mariadbd did not start: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """Kill the server, as the kernel does when memory runs out."""
        found = self._process()
        assert found is not None
        processes.stop([found], (signal.SIGKILL, 10.0))

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        if (found := self._process()) is not None:
            processes.stop([found], (signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0))
        shutil.rmtree(self.folder)

    def _where(self) -> list[str]:
        account = [] if os.geteuid() else ["--user=nobody"]
        return ["--no-defaults", f"--datadir={self.folder / 'data'}", *account]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / "socket")) == 0

    def _process(self) -> psutil.Process | None:
        return processes.of_pid_file(self.folder / "pid", name="mariadbd", tag=str(self.folder))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """Open a cursor as root; each statement commits by itself."""
        path = str(self.folder / "socket")
        connection = await asyncmy.connect(user="root", unix_socket=path, autocommit=True)
        try:
            async with connection.cursor() as cursor:
                yield cursor
        finally:
            await connection.ensure_closed()

    async def make_template(self) -> None:
        """Migrate a database once, for all tests to copy."""
        async with self.connect() as cursor:
            await cursor.execute(f"CREATE DATABASE {TEMPLATE}")
        async with open_database(self.url(TEMPLATE), application="tests") as database:
            await migrate(database.engine)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Make a database of the template's tables, give its URL, and drop it with all who still use it."""
        name = f"test_{uuid4().hex}"
        async with self.connect() as cursor:
            await cursor.execute(f"CREATE DATABASE {name}; USE {name}; {await _copy_of_template(cursor)}")
            while await cursor.nextset():
                pass
        yield self.url(name)
        async with self.connect() as cursor:
            await cut_connections(cursor, name)
            await cursor.execute(f"DROP DATABASE {name}")


async def _copy_of_template(cursor: Any) -> str:
    """Give the statements that make the template's tables in the database in use."""
    await cursor.execute(f"SHOW TABLES FROM {TEMPLATE}")
    tables = [name for (name,) in await cursor.fetchall()]
    made = [await _created(cursor, table) for table in tables]
    version = f"INSERT INTO alembic_version SELECT * FROM {TEMPLATE}.alembic_version"
    return ";\n".join(["SET foreign_key_checks = 0", *made, version])


async def _created(cursor: Any, table: str) -> str:
    await cursor.execute(f"SHOW CREATE TABLE {TEMPLATE}.{table}")
    [(_, statement)] = await cursor.fetchall()
    return str(statement)


async def cut_connections(cursor: Any, database: str) -> int:
    """End every connection to a database but the one of the cursor, and count them."""
    others = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()"
    await cursor.execute(others, (database,))
    found = await cursor.fetchall()
    for (number,) in found:
        with suppress(asyncmy.errors.OperationalError):  # it has left by itself
            await cursor.execute(f"KILL {number}")
    return len(found)


@contextmanager
def shared_mariadb(base: Path) -> Iterator[MariaDb]:
    """Join the server of this test run, which the first who asks starts and the last who leaves stops."""
    base.mkdir(exist_ok=True)
    note = base / "folder"
    with locks.exclusive(base / "start.lock", seconds=START_SECONDS):
        use = locks.shared(base / "use.lock")
        if not note.exists():
            # A socket's path must be short, and the folders above the test's own are closed to nobody.
            server = MariaDb(Path(tempfile.mkdtemp(prefix="headrace-mariadb-")))
            try:
                server.create()
                server.start()
                with ThreadPoolExecutor(1) as threads:  # the test that asks first has a loop running already
                    threads.submit(lambda: asyncio.run(server.make_template())).result()
            except BaseException:
                server.stop()
                raise
            note.symlink_to(server.folder)
    try:
        yield MariaDb(note.readlink())
    finally:
        with locks.exclusive(base / "start.lock", seconds=START_SECONDS):
            os.close(use)
            if locks.is_free(base / "use.lock"):
                MariaDb(note.readlink()).stop()
                note.unlink()
