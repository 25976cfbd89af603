"""Parquet files, their columns those of our own exports; imported only where there is one."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from jobs.sources.columns import check_columns, unknown_columns
from jobs.sources.entities import entity_of
from jobs.sources.errors import BrokenStreamError, UnknownFormatError, UnloadableError
from jobs.sources.fields import COLUMNS, MAKERS
from jobs.sources.layout import Layout
from jobs.sources.record import BadRecord
from jobs.sources.text import repaired_values
from jobs.sources.values import EPOCH
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES, size_reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity, Item

ROWS_AT_A_TIME = 1_000
BYTES_AT_A_TIME = 1024 * 1024
DAMAGED = (pa.ArrowException, OSError)
RAW = msgspec.json.Encoder(enc_hook=str)


class Table:
    """A Parquet file that is open for `read`; its offsets are numbers of rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        try:
            self.file = ParquetFile(path, buffer_size=BYTES_AT_A_TIME)
        except DAMAGED as error:
            problem = f"holds no sound Parquet ({_line(error)})"
            raise UnknownFormatError(path, problem, "write or fetch it again") from error
        self.problem = ""
        groups = [self.file.metadata.row_group(number) for number in range(self.file.num_row_groups)]
        self.begins: list[int] = [0, *accumulate(group.num_rows for group in groups)]
        self.rows = self.begins[-1]
        bytes_a_row = sum(group.total_byte_size for group in groups) // max(self.rows, 1)
        self.rows_at_a_time = max(1, min(ROWS_AT_A_TIME, BYTES_AT_A_TIME // max(bytes_a_row, 1)))

    def bytes_done(self, offset: int) -> int:
        """Say which share of the file's bytes the rows before `offset` are."""
        return self.size * offset // max(self.rows, 1)

    def check(self) -> None:
        """Raise BrokenStreamError if reading ended before the end."""
        if self.problem:
            raise BrokenStreamError(self.path, self.problem, "fetch it again; the rows before were read")

    def blocks(self, layout: Layout, start: int) -> Iterator[list[Item]]:
        """Yield the items of the rows from number `start` on; groups of rows before it are not read."""
        unknown = unknown_columns(layout.columns, layout.entity)
        names = [name for name in COLUMNS[layout.entity] if name in layout.columns]
        for number, (begin, end) in enumerate(pairwise(self.begins)):
            if end > start and not self.problem:
                for offset, batch in self._batches(number, begin, names):
                    rows = range(max(offset, start), offset + batch.num_rows)
                    if rows:
                        yield _items(batch.slice(rows.start - offset), rows.start, layout.entity, unknown)

    def _batches(self, group: int, offset: int, names: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        try:
            for batch in self.file.iter_batches(
                self.rows_at_a_time, row_groups=[group], columns=names, use_threads=False
            ):
                yield offset, batch
                offset += batch.num_rows
        except DAMAGED as error:
            self.problem = f"cannot be read behind row {offset} ({_line(error)})"


@contextmanager
def opened_table(layout: Layout) -> Iterator[Table]:
    """Open a Parquet file; when it is left, raise BrokenStreamError if its end could not be read."""
    table = Table(layout.path)
    with table.file:
        yield table
    table.check()


def look(seen: Glimpse, asked: Entity | None) -> Layout:
    """Read the schema, tell the entity by the file's name or the columns, and miss none that is needed."""
    table = Table(seen.path)
    with table.file:
        columns = tuple(table.file.schema_arrow.names)
    entity = asked or entity_of(seen, columns)
    check_columns(seen.path, columns, entity)
    return Layout(seen.path, "parquet", entity, 0, seen.size, columns)


def boundaries(layout: Layout, parts: int) -> list[int]:
    """Give where each of about equal ranges of rows begins: each at the begin of a group of rows."""
    with opened_table(layout) as table:
        wanted = [table.rows * part // parts for part in range(parts)]
        begins = [next(begin for begin in table.begins if begin >= row) for row in wanted]
        return sorted({0, *(begin for begin in begins if begin < table.rows)})


def item_of(raw: bytes, number: int, layout: Layout) -> Item:
    """Judge a row once more by the JSON that was made of it."""
    row = msgspec.json.decode(raw)
    values = [row.get(name) for name in COLUMNS[layout.entity]]
    return _item(values, number, layout.entity, unknown_columns(layout.columns, layout.entity))


def _items(batch: pa.RecordBatch, first: int, entity: Entity, unknown: tuple[str, ...]) -> list[Item]:
    names = batch.schema.names
    columns = dict(zip(names, map(_values, batch.columns), strict=True))
    absent = [None] * batch.num_rows
    rows = zip(*(columns.get(name, absent) for name in COLUMNS[entity]), strict=True)
    return [_item(row, number, entity, unknown) for number, row in enumerate(rows, first)]


def _item(row: Sequence[object], number: int, entity: Entity, unknown: tuple[str, ...]) -> Item:
    raw = RAW.encode(dict(zip(COLUMNS[entity], row, strict=True)))
    if len(raw) > MAX_RECORD_BYTES:
        return size_reject(number, number + 1, raw[:RAW_BYTES])
    where = number, number + 1, raw[:RAW_BYTES]
    try:
        return MAKERS[entity](row, *where, (0, unknown))
    except UnloadableError:
        return _repaired(row, where, entity, unknown)


def _repaired(
    row: Sequence[object], where: tuple[int, int, bytes], entity: Entity, unknown: tuple[str, ...]
) -> Item:
    offset, end, raw = where
    if any(isinstance(value, bytes) for value in row):
        reason = f"row {offset} has a text that is not UTF-8"
        return BadRecord(offset=offset, end=end, raw=raw, rule="encoding", reason=reason)
    try:
        values, repairs = repaired_values(row)
        return MAKERS[entity](values, *where, (repairs, unknown))
    except UnloadableError as error:
        return BadRecord(offset=offset, end=end, raw=raw, rule=error.rule, reason=error.reason)


def _values(column: pa.Array) -> list[Any]:
    """Give the values of a column as texts, numbers, times or lists; bytes where a text is not UTF-8."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return [None if value is None else _time(value) for value in micros.to_pylist()]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [_text(value) for value in column.to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in column.to_pylist()]
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _time(micros: int) -> object:
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return f"{micros} microseconds since 1970"


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return value and value.decode()
    except UnicodeDecodeError:
        return value


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
