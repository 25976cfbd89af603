"""The embedded services with real processes: shared by the commands of a home, and never in the way."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.worker.embedded_house import NOTHING, House, house, queue, sql
from worker.embedded import embedded_services, running
from worker.embedded.home import Home
from worker.embedded.locks import exclusive
from worker.embedded.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["house"]  # a fixture is used by its name


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
        connections = house.ask_daemons(lambda daemon: daemon.net_connections("inet"))
        assert connections
        assert not any(connections)
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
    assert wait_until(lambda: any(house.folder.glob(moment)), seconds=120)
    command.kill()
    async with house.hold() as services:
        assert await sql(services, "SELECT 1") == 1
    assert wait_until(house.is_quiet, seconds=120)
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


def delete(home: Path) -> None:
    """Delete a home whose server may be adding files to it."""
    while home.exists():
        shutil.rmtree(home, ignore_errors=True)


async def test_a_home_deleted_while_in_use_can_be_made_anew(house: House) -> None:
    holder = house.command()
    holder.services()
    delete(house.folder)
    async with house.hold() as services:
        assert await sql(services, "SELECT 1") == 1
        holder.end()
        assert await running(house.folder) == services
    assert house.is_quiet()


async def test_the_last_command_stops_the_services_of_a_deleted_home(house: House) -> None:
    async with house.hold():
        delete(house.folder)
    assert house.is_quiet()
    assert not house.folder.exists()


async def test_a_cancelled_start_leaves_nothing(house: House) -> None:
    async def start() -> None:
        async with house.hold():
            pytest.fail("cancelled too late")

    task = asyncio.create_task(start())
    assert await asyncio.to_thread(wait_until, house.begins, seconds=120)
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
