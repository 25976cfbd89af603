from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import tracemalloc
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources import errors
from jobs.sources.compression import COMPRESSIONS
from jobs.sources.opening import find_files, inspect, opened, read
from jobs.sources.ranges import boundaries
from jobs.sources.unpacking import Unpacked
from tests.jobs.sources.sources import rules_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.sources.compression import Compression
    from jobs.sources.opening import Item, Layout

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
LINES = [b'{"external_id": %d, "created_at": "2020-01-01"}\n' % number for number in range(50)]
ROW = b'<row Id="1" CreationDate="2020-01-01" />\n'
every_compression = pytest.mark.parametrize("known", COMPRESSIONS, ids=[known.name for known in COMPRESSIONS])


def laid_out(path: Path, content: bytes) -> Layout:
    path.write_bytes(content)
    return inspect(path, format="auto", entity="auto")


def items(layout: Layout) -> list[Item]:
    with opened(layout) as stream:
        return list(read(stream, layout, layout.start))


def items_before_the_end(layout: Layout, kind: type[errors.SourceError]) -> tuple[list[Item], str]:
    """Give what is read before leaving the file raises such an error, and its message."""
    found: list[Item] = []
    with pytest.raises(kind) as caught, opened(layout) as stream:
        found += read(stream, layout, layout.start)
    assert "\n" not in str(caught.value)
    return found, str(caught.value)


@every_compression
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("posts.jsonl", b"".join(LINES)),
        ("posts.CSV", b"external_id,created_at\n" + b"7,2020-01-01\n" * 3),
        ("Posts.xml", b"<posts>\n" + ROW * 3 + b"</posts>"),
        ("Posts.xml", b"<posts />"),
    ],
)
def test_a_compressed_file_is_read_like_what_is_in_it(
    tmp_path: Path, known: Compression, name: str, content: bytes
) -> None:
    plain = laid_out(tmp_path / name, content)
    layout = laid_out(tmp_path / (name + known.extension.upper()), PACK[known.name](content))
    assert (layout.format, layout.entity, layout.start) == (plain.format, plain.entity, plain.start)
    assert items(layout) == items(plain)
    assert boundaries(layout, 4) == [layout.start]


@every_compression
def test_several_members_are_read_through_and_padding_is_not(tmp_path: Path, known: Compression) -> None:
    members = [PACK[known.name](b"".join(part)) for part in (LINES[:20], [], LINES[20:])]
    layout = laid_out(tmp_path / "posts", b"".join(members) + b"\0" * 512)
    assert rules_of(items(layout)) == [str(number) for number in range(50)]


@every_compression
def test_reading_goes_on_at_the_end_of_any_record(tmp_path: Path, known: Compression) -> None:
    layout = laid_out(tmp_path / "posts", PACK[known.name](b"".join(LINES)))
    whole = items(layout)
    with opened(layout) as stream:
        for number in (40, 10):  # backwards too
            assert list(read(stream, layout, whole[number].end)) == whole[number + 1 :]


@every_compression
def test_a_stream_that_is_cut_off_or_damaged_loses_nothing_before(tmp_path: Path, known: Compression) -> None:
    noise = Random(5).randbytes(150_000).hex().encode()  # so that whole blocks of bzip2 precede the damage
    lines = [
        line.replace(b"}", b', "content": "%b"}' % noise[number::50]) for number, line in enumerate(LINES)
    ]
    packed = PACK[known.name](b"".join(lines)) + PACK[known.name](b"".join(LINES))
    whole = items(laid_out(tmp_path / "posts", packed))
    for broken in (packed[:-1], packed[:-20], packed[:-20] + b"x" * 20, packed + b"no member"):
        found, message = items_before_the_end(laid_out(tmp_path / "posts", broken), errors.BrokenStreamError)
        assert found == whole[: len(found)]
        assert len(found) >= 50
        assert known.name in message


@every_compression
@given(data=st.binary(max_size=300), cut=st.floats(0, 1), size=st.integers(1, 50))
def test_the_bytes_before_a_cut_are_given_whatever_they_are(
    known: Compression, data: bytes, cut: float, size: int
) -> None:
    packed = PACK[known.name](data)
    end = round(len(packed) * cut)
    stream = unpacked(known, packed[:end])
    given_bytes = b""
    with pytest.raises(errors.BrokenStreamError) if end < len(packed) else nullcontext():
        while piece := stream.read(size):
            assert len(piece) <= size
            given_bytes += piece
        assert given_bytes == data
    assert data.startswith(given_bytes)


def test_a_dump_that_was_cut_off_before_it_was_compressed_is_told_at_its_end(tmp_path: Path) -> None:
    layout = laid_out(tmp_path / "Posts.xml.gz", gzip.compress(b"<posts>\n" + ROW * 3))
    found, message = items_before_the_end(layout, errors.TruncatedDumpError)
    assert rules_of(found) == ["1", "1", "1"]
    assert "</posts>" in message


def test_another_error_while_reading_is_not_hidden_by_that_of_the_end(tmp_path: Path) -> None:
    layout = laid_out(tmp_path / "Posts.xml.gz", gzip.compress(b"<posts>\n" + ROW * 3))
    with pytest.raises(ZeroDivisionError), opened(layout) as stream:
        raise ZeroDivisionError(*read(stream, layout, layout.start))


@every_compression
def test_a_small_file_that_unpacks_to_much_is_read_in_bounded_memory(known: Compression) -> None:
    much = PACK[known.name](b" " * 24 * 1024 * 1024)
    stream = unpacked(known, much)
    tracemalloc.start()
    while stream.read(256 * 1024):
        pass
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stream.offset == 24 * 1024 * 1024
    assert peak_bytes < 12 * 1024 * 1024


def test_progress_is_in_bytes_on_disk(tmp_path: Path) -> None:
    layout = laid_out(tmp_path / "posts.gz", gzip.compress(b"".join(LINES)))
    with opened(layout) as stream:
        end = list(read(stream, layout, layout.start))[-1].end
        assert stream.bytes_done(end) == layout.size != end
    with opened(plain := laid_out(tmp_path / "posts", b"".join(LINES))) as stream:
        assert stream.bytes_done(end) == plain.size


def test_a_folder_gives_its_compressed_files(tmp_path: Path) -> None:
    for name in ("Posts.xml.GZ", "tags.csv.zst", "Users.jsonl.bz2", "posts.7z", "users.txt.gz", "tags.gz"):
        (tmp_path / name).write_bytes(b"x")
    assert [(entity, path.name) for entity, path in find_files(tmp_path).items()] == [
        ("users", "Users.jsonl.bz2"),
        ("tags", "tags.csv.zst"),
        ("posts", "Posts.xml.GZ"),
    ]
    (tmp_path / "posts.xml").write_bytes(b"x")
    with pytest.raises(errors.AmbiguousFilesError):
        find_files(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"7z\xbc\xaf\x27\x1c", b"PK\x03\x04", gzip.compress(gzip.compress(b"{}"))],
    ids=["7z", "zip", "gzip-in-gzip"],  # not the bytes: gzip's have the time in them
)
def test_archives_and_what_is_compressed_twice_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(errors.UnknownFormatError, match="unpack it"):
        laid_out(tmp_path / "posts.jsonl", content)


def unpacked(known: Compression, data: bytes) -> Unpacked:
    return Unpacked(BytesIO(data), Path("file"), known)
