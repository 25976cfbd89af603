"""7z archives: whole sites, single files, and those that mean harm."""

from __future__ import annotations

import asyncio
import struct
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zlib import crc32

import psutil
import py7zr
import pytest

from jobs.errors import InputError
from jobs.fetching.archives import unpack
from jobs.fetching.fetcher import Fetcher
from jobs.fetching.spool import Spool
from jobs.fetching.threads import EndedError, Ending
from jobs.sources.bounds import Bounds
from jobs.sources.errors import (
    AmbiguousFilesError,
    BombError,
    BrokenStreamError,
    FileNotReadableError,
    NoDumpFilesError,
    UnknownFormatError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobs.fetching.original import Original

ROWS = b'<?xml version="1.0"?>\n<users>\n  <row Id="1" />\n</users>\n'
MANY = Bounds(most_bytes=2**33, ratio=1e9)


async def _told(_done: int, _total: int) -> None:
    pass


def archive_of(path: Path, members: Mapping[str, bytes], **options: Any) -> Path:
    with py7zr.SevenZipFile(path, "w", **options) as archive:
        archive.set_encoded_header_mode(mode=False)  # so that tests can change it
        for name, content in members.items():
            archive.writestr(content, name)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def test_of_a_site_the_files_of_users_tags_and_posts_are_unpacked(tmp_path: Path, place: Path) -> None:
    names = ("beer/Badges.xml", "beer/Posts.xml", "beer/USERS.xml", "beer/tags.xml", "beer/PostHistory.xml")
    archive = archive_of(tmp_path / "a.7z", {name: ROWS + name.encode() for name in names})
    found = unpack(archive, place, Bounds(), Ending())
    assert [name for _, name in found] == ["beer/USERS.xml", "beer/tags.xml", "beer/Posts.xml"]
    assert all(path.read_bytes() == ROWS + name.encode() for path, name in found)
    assert {path.name for path in place.iterdir()} == {"USERS.xml", "tags.xml", "Posts.xml"}


def test_the_only_file_of_an_archive_is_taken_whatever_its_name(tmp_path: Path, place: Path) -> None:
    archive = archive_of(tmp_path / "a.7z", {"a b/export-of-posts.jsonl": b"{}"})
    assert unpack(archive, place, Bounds(), Ending()) == [
        (place / "export-of-posts.jsonl", "a b/export-of-posts.jsonl")
    ]


@pytest.mark.parametrize(
    ("members", "error", "says"),
    [
        ({"a.txt": b"a", "b.txt": b"b"}, NoDumpFilesError, "holds 2 files, none named Users, Tags or Posts"),
        (
            {"a/Posts.xml": b"a", "b/Posts.xml.gz": b"b"},
            AmbiguousFilesError,
            "a/Posts.xml and b/Posts.xml.gz",
        ),
    ],
)
def test_what_to_load_must_be_clear(
    tmp_path: Path, place: Path, members: dict[str, bytes], error: type[InputError], says: str
) -> None:
    with pytest.raises(error, match=says):
        unpack(archive_of(tmp_path / "a.7z", members), place, Bounds(), Ending())


@pytest.mark.parametrize("name", ["../../Posts.xml", "/etc/Posts.xml", "a/../../../Posts.xml"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, place: Path, name: str) -> None:
    archive = archive_of(tmp_path / "a.7z", {"x" * len(name): ROWS}, header_encryption=False)
    _rename(archive, "x" * len(name), name)
    try:
        unpack(archive, place, Bounds(), Ending())
    except BrokenStreamError as error:
        assert "path is bad" in str(error)  # noqa: PT017 - either is safe
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"a.7z", "Posts.xml"}
    assert not (tmp_path / "Posts.xml").exists()


def test_a_bomb_is_refused_for_what_it_declares_before_a_byte_is_written(tmp_path: Path, place: Path) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": bytes(100_000_000)})
    with pytest.raises(
        BombError, match="unpacks to more than 250 times its size; HEADRACE_DECOMPRESSED_RATIO"
    ):
        unpack(archive, place, Bounds(), Ending())
    with pytest.raises(BombError, match="unpacks to more than 1,000,000 bytes; HEADRACE_DECOMPRESSED_BYTES"):
        unpack(archive, place, Bounds(most_bytes=1_000_000, ratio=1e9), Ending())
    assert not list(place.iterdir())


def test_a_bomb_beside_the_files_that_are_wanted_counts_too(tmp_path: Path, place: Path) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Badges.xml": bytes(100_000_000), "Posts.xml": ROWS})
    with pytest.raises(BombError):
        unpack(archive, place, Bounds(), Ending())


def test_memory_stays_flat_where_much_is_unpacked(tmp_path: Path, place: Path) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": bytes(300_000_000)})
    before = psutil.Process().memory_info().rss
    unpack(archive, place, MANY, Ending())
    assert (place / "Posts.xml").stat().st_size == 300_000_000
    assert psutil.Process().memory_info().rss - before < 250_000_000


def test_a_dictionary_that_takes_too_much_memory_is_refused(tmp_path: Path, place: Path) -> None:
    filters = [{"id": py7zr.FILTER_LZMA2, "preset": 1, "dict_size": 64 * 2**20}]
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS}, filters=filters)
    _patch_header(archive, b"\x21\x21\x01\x1c", b"\x21\x21\x01\x26")  # 64 MiB becomes 2 GiB
    with pytest.raises(BombError, match="takes 2,048 MiB of memory to unpack"):
        unpack(archive, place, Bounds(), Ending())


def test_a_disk_without_room_is_told_before(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 10})())
    with pytest.raises(FileNotReadableError, match="has room for 10; make room"):
        unpack(archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS}), place, Bounds(), Ending())


def test_an_encrypted_archive_is_refused(tmp_path: Path, place: Path) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS}, password="secret")
    with pytest.raises(UnknownFormatError, match="is encrypted; unpack it first"):
        unpack(archive, place, Bounds(), Ending())


@pytest.mark.parametrize("cut", [6, 20, 32, 60, 100])
def test_an_archive_that_is_cut_off_is_one_clear_line(tmp_path: Path, place: Path, cut: int) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS * 50})
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(BrokenStreamError, match="is no 7z archive that can be read"):
        unpack(archive, place, Bounds(), Ending())


def test_any_damaged_byte_is_a_clear_line_or_does_no_harm(tmp_path: Path, place: Path) -> None:
    whole = archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS}).read_bytes()
    for at in range(len(whole)):
        damaged = tmp_path / f"{at}.7z"
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        folder = place / str(at)
        folder.mkdir()
        try:
            unpack(damaged, folder, Bounds(), Ending())
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either is right


def test_unpacking_ends_when_nobody_waits_for_it(tmp_path: Path, place: Path) -> None:
    ending = Ending()
    ending.tell()
    with pytest.raises(EndedError):
        unpack(archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS}), place, Bounds(), ending)


def test_without_the_extra_it_is_named(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(tmp_path / "a.7z", {"Posts.xml": ROWS})
    monkeypatch.delitem(sys.modules, "jobs.fetching.sevenzip", raising=False)
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(InputError, match=r"read by the package py7zr, .*; install headrace\[7z\]"):
        unpack(archive, place, Bounds(), Ending())


async def test_what_is_unpacked_is_not_unpacked_again_by_the_next_attempt(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "beer.7z", {"Users.xml": ROWS, "Posts.xml": ROWS})
    fetcher, run_id = Fetcher(Spool(tmp_path / "spool")), uuid4()
    originals: dict[Path, Original] = {}
    again: dict[Path, Original] = {}
    first = await fetcher.fetch(str(archive), run_id, originals, _told)
    assert [originals[path].shown for path in first] == [f"{archive}/Users.xml", f"{archive}/Posts.xml"]
    inode = await asyncio.to_thread(first[0].stat)
    assert await fetcher.fetch(str(archive), run_id, again, _told) == first
    assert again == originals
    assert (await asyncio.to_thread(first[0].stat)).st_ino == inode.st_ino


def _rename(archive: Path, old: str, new: str) -> None:
    _patch_header(archive, old.encode("utf-16-le"), new.encode("utf-16-le"))


def _patch_header(archive: Path, old: bytes, new: bytes) -> None:
    """Change what the header says, and the sums over it."""
    data = bytearray(archive.read_bytes())
    offset, size = struct.unpack("<QQ", data[12:28])
    header = bytes(data[32 + offset : 32 + offset + size])
    assert old in header
    header = header.replace(old, new)
    data[32 + offset : 32 + offset + size] = header
    data[28:32] = struct.pack("<L", crc32(header))
    data[8:12] = struct.pack("<L", crc32(data[12:32]))
    archive.write_bytes(data)
