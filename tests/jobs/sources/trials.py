"""One trial of a reader with made-up bytes: what must hold for any, or an AssertionError."""

from __future__ import annotations

import bz2
import gzip
import lzma
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from io import BytesIO
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Literal

import pytest
from pyarrow import ArrowException
from pyarrow import parquet as pq

from jobs.mapping import FieldMapping
from jobs.sources import delimited, jsonl, lines, markup, reading, rows, window
from jobs.sources.errors import SourceError
from jobs.sources.opening import inspect, opened, read
from jobs.sources.proposing import propose
from jobs.sources.reading import blocks, one_by_one, source_of
from jobs.sources.window import Window
from tests.jobs.sources.sources import MAPPING, items_of, layouts
from tests.jobs.sources.tables import any_table, mapping_of
from tests.jobs.sources.test_reading import COMMON, FRAGMENTS, ROWS, USUAL, nothing_is_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from jobs.sources.layout import Layout
    from jobs.sources.record import Entity, Format, Item

SMALL_BOUND_BYTES, SMALL_RAW_BYTES = 3_000, 300
BOUNDED = (delimited, jsonl, lines, markup, reading, rows, window)
MOST_CHUNK_BYTES = 5_000
HEADERS: dict[Format, bytes] = {
    "stackexchange": b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n',
    "jsonl": b"",
    "csv": b"external_id,created_at,title,content,tags\r\n",
}


def made_up(random: Random, format_: Format) -> bytes:
    """Break good records in some places."""
    begin, end = ROWS[format_]
    filling = random.choice((b"x", b"a, b ", b"&lt;", b"\\n")) * random.choice((10, 700, 60_000))
    long = begin % 9 + filling + end
    content = bytearray()
    for _ in range(random.randint(0, 6)):
        content += random.choice((USUAL[format_], long, *FRAGMENTS[format_]))
    for _ in range(random.choice((0, 1, 2, 5, 20))):
        place = random.randint(0, len(content))
        cut = random.choice((0, 0, 1, 4, 300))
        made = (b"", random.randbytes(3), content[place : place + cut])
        piece = random.choice((*FRAGMENTS[format_], *COMMON, *made))
        content[place : place + cut] = piece
    return bytes(content)


@contextmanager
def small_bounds() -> Iterator[None]:
    """Bound records and what is kept of them, so that large ones are met often."""
    with pytest.MonkeyPatch.context() as patched:
        for module in BOUNDED:
            patched.setattr(module, "MAX_RECORD_BYTES", SMALL_BOUND_BYTES, raising=False)
            patched.setattr(module, "RAW_BYTES", SMALL_RAW_BYTES, raising=False)
        yield


def try_text(format_: Format, random: Random, _folder: Path) -> None:
    """Read bytes whole, in pieces, from places in the middle, and by ranges: always the same items."""
    content = made_up(random, format_)
    with random.choice((small_bounds, nullcontext))():
        for how in layouts(format_):
            whole = items_of(content, how)
            check_cover(format_, content, whole)
            chunk_bytes = random.randint(1, MOST_CHUNK_BYTES)
            assert list(one_by_one(Window(BytesIO(content), 0, chunk_bytes), how)) == whole
            assert list(chain(*blocks(Window(BytesIO(content), 0, chunk_bytes), how))) == whole
            for place in random.sample(range(len(whole)), min(3, len(whole))):
                assert list(read(BytesIO(content), how, whole[place].end)) == whole[place + 1 :]
            assert by_ranges(content, replace(how, size=len(content)), random) == whole


def check_cover(format_: Format, content: bytes, items: list[Item]) -> None:
    """See that items follow each other and leave nothing out but what is between records."""
    position = 0
    for item in items:
        assert position <= item.offset < item.end <= len(content)
        assert nothing_is_lost(format_, content[position : item.offset])
        assert content[item.offset : item.end].startswith(item.raw)
        position = item.end
    assert nothing_is_lost(format_, content[position:])


def by_ranges(content: bytes, how: Layout, random: Random) -> list[Item]:
    """Read content cut in three."""
    wanted = sorted({random.randint(0, len(content)) for _ in range(2)} - {0, len(content)})
    cuts = source_of(how).cuts(BytesIO(content), how, wanted)
    begins = sorted({0, *(cut for cut in cuts if cut < len(content))})
    pieces = pairwise([*begins, None])
    return [
        item for begin, stop in pieces for item in read(BytesIO(content), replace(how, stop=stop), begin or 0)
    ]


def try_parquet(random: Random, folder: Path) -> None:
    """Read any table, whole and from the middle."""
    table, path = any_table(random), folder / "posts.parquet"
    try:
        pq.write_table(table, path, row_group_size=random.randint(1, 5))
    except ArrowException:  # times that the format does not hold
        return
    for mapping in (None, mapping_of(table)):
        try:
            layout = inspect(path, format="parquet", entity="posts", mapping=mapping)
        except SourceError:
            continue
        with opened(layout) as stream:
            items = list(read(stream, layout, 0))
            assert [(item.offset, item.end) for item in items] == [(n, n + 1) for n in range(table.num_rows)]
            start = random.randint(0, table.num_rows)
            assert list(read(stream, layout, start)) == items[start:]


def try_damaged_parquet(random: Random, folder: Path) -> None:
    """Read a table of which some bytes are others: what can be read, then an error of one line."""
    table, path = any_table(random), folder / "posts.parquet"
    try:
        pq.write_table(table, path, row_group_size=random.randint(1, 5))
    except ArrowException:
        return
    content = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 1, 3, 10))):
        place = random.randrange(len(content))
        content[place : place + random.choice((1, 1, 8))] = random.randbytes(random.choice((1, 1, 8)))
    path.write_bytes(content)
    for how in (None, mapping_of(table)):
        _said_in_one_line(lambda how=how: _opened_and_read(path, how, "posts"))  # type: ignore[misc]
    _said_in_one_line(lambda: propose(path))


def try_opening(random: Random, folder: Path) -> None:
    """Look into a file of any bytes and name: a layout and its items, a proposal, or an error of one line."""
    format_ = random.choice(tuple(HEADERS))
    content = random.choice((HEADERS[format_], b"", b"\xef\xbb\xbf")) + made_up(random, format_)
    pack = random.choice((bytes, bytes, gzip.compress, bz2.compress, lzma.compress))
    packed = bytearray(pack(content[:20_000]))
    for _ in range(random.choice((0, 0, 1, 3))):
        place = random.randint(0, len(packed))
        packed[place : place + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
    path = folder / random.choice(("posts.xml", "posts.jsonl", "users.csv", "file", "tags.csv.gz"))
    path.write_bytes(packed)
    for how in (None, MAPPING, FieldMapping.model_validate({"name": "x", "file": {"delimiter": ";"}})):
        _said_in_one_line(lambda how=how: _opened_and_read(path, how))  # type: ignore[misc]
    _said_in_one_line(lambda: propose(path))
    path.unlink()


def _opened_and_read(
    path: Path, mapping: FieldMapping | None, entity: Entity | Literal["auto"] = "auto"
) -> None:
    layout = inspect(path, format="auto", entity=entity, mapping=mapping)
    with opened(layout) as stream:
        end = layout.start
        for item in read(stream, layout, layout.start):
            assert end <= item.offset < item.end
            end = item.end


def _said_in_one_line(step: Callable[[], object]) -> None:
    try:
        step()
    except SourceError as error:
        if not str(error).isprintable():
            raise AssertionError(ascii(str(error))) from error


TRIALS: dict[str, Callable[[Random, Path], None]] = {
    "stackexchange": lambda random, folder: try_text("stackexchange", random, folder),
    "jsonl": lambda random, folder: try_text("jsonl", random, folder),
    "csv": lambda random, folder: try_text("csv", random, folder),
    "parquet": try_parquet,
    "damaged-parquet": try_damaged_parquet,
    "opening": try_opening,
}
