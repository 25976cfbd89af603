"""The embedded services for any user and any home, and what is said where they cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.worker.embedded_house import NOBODY, House, house, queue, sql
from worker.embedded import EmbeddedError, embedded_services, running
from worker.embedded.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["house"]  # a fixture is used by its name


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
reachable = pytest.mark.skipif(
    not all(folder.stat().st_mode & 0o001 for folder in Path(sys.prefix).parents),
    reason="this environment lies in a folder that no other user can reach",
)


@as_root
async def test_an_ordinary_user_has_services_of_their_own(open_house: House) -> None:
    open_house.folder.mkdir()
    os.chown(open_house.folder, NOBODY, NOBODY)
    command = open_house.command(*ordinary())
    services = command.services()
    owners = set(open_house.ask_daemons(lambda daemon: daemon.uids().real))
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
@reachable
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
