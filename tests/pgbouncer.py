"""A private PgBouncer in transaction mode, in front of the tests' PostgreSQL, on a socket of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from worker.embedded import processes
from worker.embedded.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 6432
START_SECONDS = 20.0
FIRST_WITH_PREPARED_STATEMENTS = (1, 21)


def configurations() -> list[str]:
    """Give lines of its configuration with which it has to work: where it can, with and without help."""
    said = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found
    knows = tuple(map(int, found.groups())) >= FIRST_WITH_PREPARED_STATEMENTS
    return ["", "max_prepared_statements = 0"] if knows else [""]


@contextmanager
def bouncing(database_url: str, line: str) -> Iterator[str]:
    """Run a PgBouncer with another line in its configuration; give the database's URL through it."""
    url = make_url(database_url)
    server = Path(str(url.query["host"]))
    account = Account.for_folders(server)  # it refuses root, and PostgreSQL's socket is its user's alone
    folder = Path(tempfile.mkdtemp(prefix="bouncer-"))
    write_configuration(folder, server, line)
    account.give(folder)
    who: dict[str, Any] = {}
    if not os.geteuid():
        who = {"user": account.uid, "group": account.gid, "extra_groups": []}
    process = subprocess.Popen(["pgbouncer", "-q", str(folder / "ini")], cwd=folder, **who)
    try:
        if not processes.wait_until(lambda: answers(folder), seconds=START_SECONDS):
            raise RuntimeError(f"pgbouncer did not start: {(folder / 'log').read_text()}")
        through = {"host": str(folder), "port": str(PORT), "pgbouncer": "true"}
        yield url.update_query_dict(through).render_as_string()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def write_configuration(folder: Path, server: Path, line: str) -> None:
    """Have four connections to a database, so that the clients have to share them."""
    settings = f"""
[databases]
* = host={server} port=5432 user=headrace
[pgbouncer]
unix_socket_dir = {folder}
listen_port = {PORT}
auth_type = any
pool_mode = transaction
default_pool_size = 4
logfile = {folder}/log
{line}
"""
    (folder / "ini").write_text(settings)


def answers(folder: Path) -> bool:
    """Tell whether it accepts connections."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / f".s.PGSQL.{PORT}"))
        return True
    return False
