"""Formats and compressions of exports: typed, read by others, and the same bytes from every database."""

from __future__ import annotations

import gzip
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from jobs.errors import InputError
from jobs.requests import ExportRows
from jobs.sinks import parquet as sink
from jobs.sinks.compression import COMPRESSIONS, Compressed
from jobs.sinks.jsonl import JsonLines
from jobs.sinks.registry import encoder_of
from jobs.zstandard import zstd
from models.exports import EXPORTS
from tests.conftest import BACKENDS, fresh_database
from tests.factories import post, store, user
from tests.jobs.exporting import export
from worker.resources import open_resources
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from worker.resources import Resources

NAMES = ("posts.jsonl", "posts.csv", "posts.parquet", "posts.jsonl.gz", "posts.csv.zst")
ODD = 'line\nbreak, "quoted" <ü> \U0001f37a'


async def fill(resources: Resources) -> None:
    await store(
        resources.database,
        *(user(n, email=f"u{n}@example.org") for n in range(3)),
        *(post(n, n % 3, score=n, content=ODD, title=None, tags=("ß", "b", "Z", "a")) for n in range(9)),
        post("plain", created_at=datetime(2020, 5, 17, 1, 2, 3, 456789, UTC)),
    )


async def files_of(url: str, folder: Path) -> dict[str, bytes]:
    """Export the same posts in every way from a database."""
    async with open_resources(Settings(database_url=url, home=folder)) as resources:
        await fill(resources)
        for name in NAMES:
            await export(resources, folder / name, "posts")
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.mark.usefixtures("services", "small_partitions")
async def test_every_database_gives_the_same_bytes_in_every_format(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found = []
    for backend in BACKENDS:
        (tmp_path / backend).mkdir()
        async with fresh_database(backend, request, tmp_path / backend) as url:
            found.append(await files_of(url, tmp_path / backend))
    assert found[0] == found[1] == found[2]
    lines = [json.loads(line) for line in found[0]["posts.jsonl"].splitlines()]
    assert lines[0]["tags"] == ["Z", "a", "b", "ß"]  # whatever the database's collation is
    assert lines[9]["created_at"] == "2020-05-17T01:02:03.456789Z"


async def test_parquet_has_types_and_no_value_is_lost(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    for entity in EXPORTS:
        await export(resources, tmp_path / f"{entity}.parquet", entity)
        await export(resources, tmp_path / f"{entity}.jsonl", entity)
    table = parquet.read_table(tmp_path / "posts.parquet")
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("tags").type == pa.list_(pa.string())
    assert table.schema.field("score").type == pa.int64()
    assert parquet.read_schema(tmp_path / "authors.parquet").field("mean_score").type == pa.float64()
    for entity in EXPORTS:
        rows = parquet.read_table(tmp_path / f"{entity}.parquet").to_pylist()
        lines = (tmp_path / f"{entity}.jsonl").read_text().splitlines()
        assert [compared(row) for row in rows] == [compared(json.loads(line)) for line in lines]


def compared(row: dict[str, Any]) -> dict[str, Any]:
    """Read times, and leave out when an author's figures were computed: on read, here."""
    times = {name: row[name] for name in row if name.endswith("_at") and row[name] is not None}
    read = {n: v if isinstance(v, datetime) else datetime.fromisoformat(v) for n, v in times.items()}
    return {name: value for name, value in (row | read).items() if name != "computed_at"}


def test_row_groups_of_parquet_are_bounded_by_rows_and_by_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "GROUP_ROWS", 20)
    monkeypatch.setattr(sink, "GROUP_BYTES", 10_000)
    encoder = encoder_of(EXPORTS["tags"], "parquet", tmp_path / "tags.parquet")
    parts = [encoder.begin(), *(encoder.encode({"name": ["short"] * 10}) for _ in range(5))]
    parts += [encoder.encode({"name": ["x" * 2_000] * 10}) for _ in range(2)]
    path = tmp_path / "tags.parquet"
    path.write_bytes(b"".join((*parts, encoder.end())))
    metadata = parquet.ParquetFile(path).metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert groups == [20, 20, 20, 10]
    assert encoder.cut() is None


def plain(path: Path) -> bytes:
    """Decompress a file, however many members or frames it has."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return zstd.decompress(path.read_bytes())


async def test_compressed_exports_hold_what_the_plain_ones_hold(resources: Resources, tmp_path: Path) -> None:
    await fill(resources)
    for name in ("users.csv", "users.csv.gz", "users.csv.zst"):
        await export(resources, tmp_path / name, "users")
    whole = (tmp_path / "users.csv").read_bytes()
    assert plain(tmp_path / "users.csv.gz") == whole
    assert (tmp_path / "users.csv.gz").read_bytes()[4:8] == bytes(
        4
    )  # no time: the same rows are the same bytes
    assert plain(tmp_path / "users.csv.zst") == whole


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_compressed_file_goes_on_behind_a_cut_as_if_it_had_not_been_cut_off(
    ending: str, tmp_path: Path
) -> None:
    def encoder() -> Compressed:
        return Compressed(JsonLines(["name"]), COMPRESSIONS[ending])

    whole, before, behind = encoder(), encoder(), encoder()
    parts = [{"name": [f"{number} {'word ' * 50}"]} for number in range(4)]
    head = [before.begin(), before.encode(parts[0]), before.encode(parts[1]), before.cut() or b""]
    resumed = b"".join([*head, behind.encode(parts[2]), behind.encode(parts[3]), behind.end()])
    cut = [whole.begin(), whole.encode(parts[0]), whole.encode(parts[1]), whole.cut() or b""]
    assert resumed == b"".join([*cut, whole.encode(parts[2]), whole.encode(parts[3]), whole.end()])
    assert before.end() == b""
    path = tmp_path / f"names{ending}"
    path.write_bytes(resumed)
    names = [json.loads(line)["name"] for line in plain(path).splitlines()]
    assert names == [part["name"][0] for part in parts]


async def test_an_empty_compressed_export_is_a_file_that_readers_accept(
    resources: Resources, tmp_path: Path
) -> None:
    for name in ("tags.jsonl.gz", "tags.parquet"):
        await export(resources, tmp_path / name, "tags")
    assert (tmp_path / "tags.jsonl.gz").stat().st_size > 0
    assert gzip.decompress((tmp_path / "tags.jsonl.gz").read_bytes()) == b""
    assert parquet.read_table(tmp_path / "tags.parquet").num_rows == 0


def test_parquet_is_not_compressed_once_more() -> None:
    with pytest.raises(ValidationError, match="compressed inside"):
        ExportRows(entity="tags", path="/x/tags.parquet.gz", format="parquet")


async def test_without_the_extra_an_export_as_parquet_says_what_to_install(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "jobs.sinks.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'headrace\[parquet\]'"):
        await export(resources, tmp_path / "tags.parquet", "tags")
