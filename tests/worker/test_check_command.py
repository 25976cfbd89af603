"""What `headrace check` says of a deployment, without starting anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from models.native import IS_COMPILED
from tests.conftest import every_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine


@every_database
def test_check_finds_everything_in_order(headrace: CommandLine) -> None:
    done = headrace("check")
    assert done.code == 0, done.out
    assert {line.split()[0] for line in done.out.splitlines()} == {"ok"}
    assert len(done.out.splitlines()) == (7 if "sqlite" in done.out else 8)


def test_check_says_whether_loops_are_compiled(headrace: CommandLine) -> None:
    says = "in use" if IS_COMPILED else "none, as a compiler or Python's headers were missing"
    assert f"compiled loops: {says}" in headrace("check").out


SERVERS = {
    "postgresql": r"PostgreSQL \d+\.\d+",
    "sqlite": r"SQLite [\d.]+, journal mode wal on \w+: for one host, one writer at a time",
    "mariadb": r"MariaDB [\d.]+, max_allowed_packet 16 MiB: larger records become rejects",
}


@every_database
def test_check_says_what_the_database_is(headrace: CommandLine, backend: str) -> None:
    assert re.search(rf"ok +server: {SERVERS[backend]}\n", headrace("check").out)


def test_check_names_what_is_wrong(headrace: CommandLine) -> None:
    done = headrace(
        "check", HEADRACE_POOL_SIZE="2", HEADRACE_BATCHSIZE="9", REDIS_URL="redis://127.0.0.1:1/0"
    )
    assert done.code == 1
    failed = re.findall(r"FAIL\s+(\w+)", done.out)
    assert failed == ["settings", "pool", "redis"]
    assert "HEADRACE_POOL_SIZE must be at least 14" in done.out


def test_check_sees_that_the_server_has_too_few_connections_for_a_worker(headrace: CommandLine) -> None:
    done = headrace("check", HEADRACE_CONCURRENCY="200")
    assert done.code == 1
    assert re.findall(r"FAIL\s+(\w+)", done.out) == ["connections"]
    assert "of the server's" in done.out


def test_check_starts_nothing(headrace: CommandLine, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    done = headrace("check", DATABASE_URL="", REDIS_URL="", HEADRACE_HOME=str(home))
    assert done.code == 0
    assert not home.exists()
