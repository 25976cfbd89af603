"""The embedded services with real processes: shared by the commands of a home, and never in the way."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url

from worker.embedded import EmbeddedError, Services, embedded_services, running
from worker.embedded.home import Home
from worker.embedded.locks import exclusive
from worker.embedded.processes import is_alive, tagged, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FAST = {"fsync": "off"}
NOTHING = Services(None, None)
NOBODY = 65534
COMMAND = """
import asyncio, sys
from pathlib import Path
from worker.embedded import EmbeddedError, embedded_services

async def main():
    try:
        home, options = Path(sys.argv[1]), {"fsync": "off"}
        async with embedded_services(home, postgres=True, redis=True, options=options) as here:
            print(here.database_url, here.redis_url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
    except EmbeddedError as error:
        print("error:", error, flush=True)

asyncio.run(main())
"""


@dataclass
class Command:
    """Another process that holds the services of a home until it is told to end."""

    process: subprocess.Popen[str]

    def told(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def services(self) -> Services:
        database_url, redis_url = self.told().split(" ")
        return Services(database_url, redis_url)

    def end(self) -> None:
        rest, _ = self.process.communicate("\n", timeout=30)
        assert (rest, self.process.returncode) == ("", 0)

    def kill(self) -> None:
        self.process.kill()
        # The end of its output shows that no daemon holds the pipe: `headrace … | head` would hang.
        self.process.communicate(timeout=5)


@dataclass
class House:
    """A home, and all that was started for it."""

    folder: Path
    tags: set[str] = field(default_factory=set)
    commands: list[Command] = field(default_factory=list)

    def hold(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tags.add(Home.at(self.folder).tag)
        return embedded_services(self.folder, postgres=True, redis=True, options=FAST)

    def command(self, *prefix: str, **environment: str) -> Command:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tags.add(Home.at(self.folder).tag)
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", COMMAND, str(self.folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.commands.append(Command(process))
        return self.commands[-1]

    def daemons(self) -> list[psutil.Process]:
        names = ("postgres", "redis-server")
        return [found for tag in self.tags for name in names for found in tagged(name=name, tag=tag)]

    def server(self, pid_file: str) -> psutil.Process:
        return psutil.Process(int((self.folder / pid_file).read_text().split("\n")[0]))

    def kill_server(self, pid_file: str) -> None:
        server = self.server(pid_file)
        server.kill()
        assert wait_until(lambda: not is_alive(server), seconds=10)

    def begins(self) -> bool:
        return any(self.folder.glob("postgres.unfinished-*"))

    def is_quiet(self) -> bool:
        places = [Path(tempfile.gettempdir(), tag) for tag in self.tags]
        return not self.daemons() and not any(place.exists() for place in places)

    def clear(self) -> None:
        for command in self.commands:
            with command.process:
                command.process.kill()
        for daemon in self.daemons():
            with suppress(psutil.Error):
                daemon.kill()
        wait_until(lambda: not self.daemons(), seconds=10)
        for tag in self.tags:
            shutil.rmtree(Path(tempfile.gettempdir(), tag), ignore_errors=True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A home of its own; what was started for it is gone after the test, however that ended."""
    house = House(tmp_path / "home")
    try:
        yield house
    finally:
        house.clear()


@pytest.fixture
def open_house() -> Iterator[House]:
    """A home which other users may reach."""
    with tempfile.TemporaryDirectory(prefix="headrace-test-") as folder:
        Path(folder).chmod(0o755)
        house = House(Path(folder, "home"))
        try:
            yield house
        finally:
            house.clear()


async def sql(services: Services, statement: str) -> Any:
    url = make_url(services.database_url or "")
    connection = await asyncpg.connect(
        host=str(url.query["host"]), port=5432, user=url.username, database=url.database
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def queue(services: Services, *command: str) -> Any:
    async with Redis.from_url(services.redis_url or "") as redis:
        return await redis.execute_command(*command)


async def test_commands_share_the_services_and_the_last_one_stops_them(house: House) -> None:
    first, second = house.command(), house.command()
    services = first.services()
    assert second.services() == services == await running(house.folder)
    first.end()
    assert await sql(services, "SELECT current_database()") == "headrace"
    assert await running(house.folder) == services
    second.end()
    assert house.is_quiet()


async def test_a_command_with_another_tmpdir_joins_the_same_services(house: House, tmp_path: Path) -> None:
    async with house.hold() as services:
        other = house.command(TMPDIR=str(tmp_path))
        assert other.services() == services
        other.end()
    assert house.is_quiet()


async def test_rows_and_the_queue_outlive_a_stop(house: House) -> None:
    async with house.hold() as services:
        await sql(services, "CREATE TABLE kept AS SELECT 7 AS n")
        await queue(services, "SET", "kept", "7")
    assert house.is_quiet()
    async with house.hold() as services:
        assert await sql(services, "SELECT n FROM kept") == 7
        assert await queue(services, "GET", "kept") == b"7"


async def test_one_service_alone_may_be_asked_for(house: House) -> None:
    async with embedded_services(house.folder, postgres=False, redis=True) as services:
        house.tags.add(Home.at(house.folder).tag)
        assert services.database_url is None
        assert await queue(services, "PING")
        assert await running(house.folder) == services
    assert house.is_quiet()


async def test_asking_what_runs_starts_and_writes_nothing(house: House) -> None:
    assert await running(house.folder) == NOTHING
    assert not house.folder.exists()
    async with embedded_services(house.folder, postgres=False, redis=False) as services:
        assert services == NOTHING
    assert not house.folder.exists()


async def test_daemons_open_no_port_and_stay_out_of_our_session(house: House) -> None:
    async with house.hold() as services:
        assert await sql(services, "SELECT current_setting('listen_addresses')") == ""
        assert await queue(services, "CONFIG", "GET", "port") == [b"port", b"0"]
        assert not [c for daemon in house.daemons() for c in daemon.net_connections("inet")]
        servers = [house.server("postgres/postmaster.pid"), house.server("redis.pid")]
        assert os.getsid(0) not in [os.getsid(server.pid) for server in servers]


async def test_a_killed_command_leaves_the_services_to_the_next_which_stops_them(house: House) -> None:
    command = house.command()
    services = command.services()
    command.kill()
    assert await running(house.folder) == services
    async with house.hold() as again:
        assert again == services
    assert house.is_quiet()


@pytest.mark.parametrize("moment", ["postgres.unfinished-*", "postgres/postmaster.pid"])
async def test_a_command_killed_while_it_starts_does_not_block_the_next(house: House, moment: str) -> None:
    command = house.command()
    assert wait_until(lambda: any(house.folder.glob(moment)), seconds=20)
    command.kill()
    async with house.hold() as services:
        assert await sql(services, "SELECT 1") == 1
    assert wait_until(house.is_quiet, seconds=10)
    async with house.hold():
        assert not list(house.folder.glob("postgres.unfinished-*"))


async def test_killed_servers_come_back_with_what_was_committed(house: House) -> None:
    holder = house.command()
    services = holder.services()
    await sql(services, "CREATE TABLE kept AS SELECT 7 AS n")
    await queue(services, "SET", "kept", "7")
    await queue(services, "SAVE")
    house.kill_server("postgres/postmaster.pid")
    house.kill_server("redis.pid")
    assert await running(house.folder) == NOTHING
    async with house.hold() as again:
        assert again == services
        assert await sql(services, "SELECT n FROM kept") == 7
        assert await queue(services, "GET", "kept") == b"7"
    assert await running(house.folder) == services
    holder.end()
    assert house.is_quiet()


async def test_a_stale_pid_file_naming_a_live_process_does_not_block(house: House) -> None:
    async with house.hold():
        written = (house.folder / "postgres/postmaster.pid").read_text().split("\n")
        house.kill_server("postgres/postmaster.pid")
        house.kill_server("redis.pid")
        stale = "\n".join([str(os.getpid()), *written[1:]])
        (house.folder / "postgres/postmaster.pid").write_text(stale)
        (Home.at(house.folder).sockets / ".s.PGSQL.5432.lock").write_text(stale)
        (house.folder / "redis.pid").write_text(f"{os.getpid()}\n")
        async with house.hold() as services:
            assert await sql(services, "SELECT 1") == 1
            assert await queue(services, "PING")
    assert house.is_quiet()


async def test_services_whose_sockets_were_cleaned_away_are_started_again(house: House) -> None:
    async with house.hold() as services:
        await queue(services, "SET", "kept", "7")
        shutil.rmtree(Home.at(house.folder).sockets)
        assert await running(house.folder) == NOTHING
        async with house.hold() as again:
            assert again == services
            assert await sql(services, "SELECT 1") == 1
            assert await queue(services, "GET", "kept") == b"7"
    assert house.is_quiet()


async def test_a_home_deleted_while_in_use_can_be_made_anew(house: House) -> None:
    holder = house.command()
    holder.services()
    shutil.rmtree(house.folder)
    async with house.hold() as services:
        assert await sql(services, "SELECT 1") == 1
        holder.end()
        assert await running(house.folder) == services
    assert house.is_quiet()


async def test_the_last_command_stops_the_services_of_a_deleted_home(house: House) -> None:
    async with house.hold():
        shutil.rmtree(house.folder)
    assert house.is_quiet()
    assert not house.folder.exists()


async def test_a_cancelled_start_leaves_nothing(house: House) -> None:
    async def start() -> None:
        async with house.hold():
            pytest.fail("cancelled too late")

    task = asyncio.create_task(start())
    assert await asyncio.to_thread(wait_until, house.begins, seconds=20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.is_quiet()


async def test_whoever_waits_for_others_may_be_cancelled(house: House) -> None:
    house.folder.mkdir()
    with exclusive(house.folder / "start.lock", seconds=0):
        waiting = asyncio.create_task(house.hold().__aenter__())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, timeout=5)


async def test_any_name_of_a_home_works(tmp_path: Path) -> None:
    house = House(tmp_path / 'a space, ümlauts, $HOME `id` "quotes" and it\'s' / "home")
    try:
        async with house.hold() as services:
            assert await sql(services, "SELECT 1") == 1
            assert await queue(services, "PING")
        assert house.is_quiet()
    finally:
        house.clear()


async def test_settings_of_other_servers_do_not_disturb(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "6000", "PGDATA": "/nowhere", "PGOPTIONS": "-c no=1"}.items():
        monkeypatch.setenv(name, value)
    async with house.hold() as services:
        monkeypatch.delenv("PGOPTIONS")
        assert await running(house.folder) == services
        assert await sql(services, "SELECT 1") == 1


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@as_root
async def test_an_ordinary_user_has_services_of_their_own(open_house: House) -> None:
    open_house.folder.mkdir()
    os.chown(open_house.folder, NOBODY, NOBODY)
    command = open_house.command(*ordinary())
    services = command.services()
    owners = {daemon.uids().real for daemon in open_house.daemons()}
    command.end()
    assert services.database_url
    assert owners == {NOBODY}
    assert open_house.is_quiet()


@as_root
async def test_the_home_of_another_user_is_refused_on_one_line(open_house: House) -> None:
    async with embedded_services(open_house.folder, postgres=False, redis=True):
        pass
    told = open_house.command(*ordinary()).told()
    assert told.startswith(f"error: HEADRACE_HOME {open_house.folder} cannot be used (")


@as_root
async def test_root_without_setpriv_uses_a_home_its_user_can_reach(
    open_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    async with open_house.hold() as services:
        assert await sql(services, "SELECT 1") == 1
    assert open_house.is_quiet()


@as_root
async def test_root_without_setpriv_is_told_of_a_home_its_user_cannot_reach(
    open_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    open_house.folder.parent.chmod(0o700)
    await assert_refused(open_house, "PostgreSQL refuses root and user 65534 cannot reach")


async def test_a_home_that_cannot_be_is_refused_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"HEADRACE_HOME .*file/home cannot be used \(Not a directory\)"):
        async with embedded_services(tmp_path / "file" / "home", postgres=True, redis=True):
            pytest.fail("it cannot be")


async def test_data_of_another_major_version_are_refused_on_one_line(house: House) -> None:
    house.tags.add("none")
    data = house.folder / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    await assert_refused(house, f"{data} was made by PostgreSQL 12, this is 18")


async def test_a_server_that_cannot_start_is_told_with_its_reason_and_log(house: House) -> None:
    options = {"shared_buffers": "nonsense"}
    house.folder.mkdir()
    house.tags.add(Home.at(house.folder).tag)
    with pytest.raises(
        EmbeddedError, match=r"PostgreSQL did not start \(FATAL: .*nonsense.*postgres\.log, or set"
    ):
        async with embedded_services(house.folder, postgres=True, redis=True, options=options):
            pytest.fail("it cannot start")
    assert house.is_quiet()


async def test_a_broken_dump_of_the_queue_is_told_with_its_reason_and_log(house: House) -> None:
    house.folder.mkdir()
    (house.folder / "redis.rdb").write_text("no dump at all")
    await assert_refused(house, "Redis did not start (")


async def test_a_socket_folder_that_is_not_private_is_refused(house: House) -> None:
    house.folder.mkdir()
    sockets = Home.at(house.folder).sockets
    sockets.mkdir(mode=0o755)
    try:
        await assert_refused(house, f"{sockets} cannot hold the sockets", quiet=False)
    finally:
        sockets.rmdir()


async def assert_refused(house: House, message: str, *, quiet: bool = True) -> None:
    with pytest.raises(EmbeddedError) as refused:
        async with house.hold():
            pytest.fail("it was not refused")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert house.is_quiet() or not quiet


def ordinary() -> list[str]:
    """Return the prefix that makes a command an ordinary user's."""
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # The interpreter may stand in a folder closed to others: a right to read, not to write, opens it.
    may = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup"]
    prefix = ["setpriv", *who, *may, "--"]
    try:
        subprocess.run([*prefix, sys.executable, "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the interpreter is out of reach of an ordinary user")
    return prefix
