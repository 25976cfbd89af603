from __future__ import annotations

import bz2
import gzip
import lzma
import resource
from typing import TYPE_CHECKING

import pytest

from jobs.sources.bounds import Bounds
from jobs.sources.errors import BombError
from jobs.sources.opening import inspect, opened, read
from jobs.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobs.sources.opening import Layout

RECORD = b'{"external_id": "1"}\n'


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_bomb_ends_with_one_clear_line_and_memory_stays_flat(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(compress(RECORD + b" " * 100_000_000))
    layout = inspect(path, format="auto", entity="posts")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BombError, match="unpacks to more than 50,000,000 bytes; HEADRACE_DECOMPRESSED_BYTES"):
        _read_all(layout, Bounds(most_bytes=50_000_000, ratio=1e9))
    with pytest.raises(
        BombError, match="unpacks to more than 250 times its size; HEADRACE_DECOMPRESSED_RATIO"
    ):
        _read_all(layout, Bounds())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000  # KiB


def test_what_packs_well_but_is_small_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(gzip.compress(RECORD * 100_000))
    assert _read_all(inspect(path, format="auto", entity="posts"), Bounds(ratio=1)) == 100_000


def _read_all(layout: Layout, bounds: Bounds) -> int:
    with opened(layout, bounds) as stream:
        return sum(1 for _ in read(stream, layout, layout.start))
