"""Parquet files, their columns those of our own exports; imported only where there is one."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import accumulate, chain, islice, pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from jobs.columns import COLUMNS
from jobs.sources.arrow_values import values_of
from jobs.sources.columns import check_columns, check_mapped, unknown_columns
from jobs.sources.entities import entity_of
from jobs.sources.errors import BrokenStreamError, UnknownFormatError, UnloadableError
from jobs.sources.fields import maker_of
from jobs.sources.layout import Layout
from jobs.sources.mapped import mapped
from jobs.sources.record import BadRecord
from jobs.sources.text import repaired_values
from jobs.sources.window import MAX_RECORD_BYTES, RAW_BYTES, size_reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.mapped import Steps
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
        except (*DAMAGED, UnicodeDecodeError) as error:  # of a column's name
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
        unknown = unknown_columns(layout.columns, layout.entity, layout.mapping)
        wanted = layout.mapping.tree if layout.mapping else COLUMNS[layout.entity]
        names = [name for name in wanted if name in layout.columns]
        for number, (begin, end) in enumerate(pairwise(self.begins)):
            if end > start and not self.problem:
                for offset, batch in self.batches(number, begin, names):
                    rows = range(max(offset, start), offset + batch.num_rows)
                    if rows:
                        yield _items(batch.slice(rows.start - offset), rows.start, layout, unknown)

    def batches(
        self, group: int, offset: int, names: list[str] | None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the rows of a group with the number of the first of them; without `names` all columns."""
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


def look(seen: Glimpse, asked: Entity | None, mapping: FieldMapping | None = None) -> Layout:
    """Read the schema, tell the entity by the file's name or the columns, and miss none that is needed."""
    table = Table(seen.path)
    with table.file:
        schema = table.file.schema_arrow
    columns = tuple(schema.names)
    entity = entity_of(seen, columns, asked, mapping)
    ready = mapped(mapping, entity, columns) if mapping else None
    if ready:
        check_mapped(seen.path, columns, ready, partial(_reaches, schema))
    else:
        check_columns(seen.path, columns, entity)
    return Layout(seen.path, "parquet", entity, 0, seen.size, columns, mapping=ready)


def _reaches(schema: pa.Schema, path: Steps) -> bool:
    """Tell whether a path leads to a column, or to a field of a structured one."""
    if path[0] not in schema.names:
        return False
    kind = schema.types[schema.names.index(path[0])]
    for step in path[1:]:
        if not pa.types.is_struct(kind) or (place := kind.get_field_index(step)) < 0:
            return False
        kind = kind.field(place).type
    return True


def first_records(path: Path, how_many: int) -> list[dict[str, Any]]:
    """Give the first rows as objects of all their columns."""
    table = Table(path)
    with table.file:
        groups = range(table.file.num_row_groups)
        batches = (batch for group in groups for _, batch in table.batches(group, 0, None))
        return list(islice(chain.from_iterable(map(_records, batches)), how_many))


def _records(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    rows = zip(*map(values_of, batch.columns), strict=True)
    return [dict(zip(batch.schema.names, row, strict=True)) for row in rows]


def boundaries(layout: Layout, parts: int) -> list[int]:
    """Give where each of about equal ranges of rows begins: each at the begin of a group of rows."""
    with opened_table(layout) as table:
        wanted = [table.rows * part // parts for part in range(parts)]
        begins = [next(begin for begin in table.begins if begin >= row) for row in wanted]
        return sorted({0, *(begin for begin in begins if begin < table.rows)})


def item_of(raw: bytes, number: int, layout: Layout) -> Item:
    """Judge a row once more by the JSON that was made of it."""
    row = msgspec.json.decode(raw)
    record = row if layout.mapping else {name: row.get(name) for name in COLUMNS[layout.entity]}
    unknown = unknown_columns(layout.columns, layout.entity, layout.mapping)
    return _item(record, number, layout, maker_of(layout.entity, layout.mapping), unknown)


def _items(batch: pa.RecordBatch, first: int, layout: Layout, unknown: tuple[str, ...]) -> list[Item]:
    names = batch.schema.names if layout.mapping else COLUMNS[layout.entity]
    columns = dict(zip(batch.schema.names, map(values_of, batch.columns), strict=True))
    absent = [None] * batch.num_rows
    rows = zip(range(batch.num_rows), *(columns.get(name, absent) for name in names), strict=True)
    item = partial(_item, layout=layout, make=maker_of(layout.entity, layout.mapping), unknown=unknown)
    return [item(dict(zip(names, row, strict=True)), first + number) for number, *row in rows]


def _item(
    record: dict[str, object],
    number: int,
    layout: Layout,
    make: Callable[..., Item],
    unknown: tuple[str, ...],
) -> Item:
    raw = RAW.encode(record)
    if len(raw) > MAX_RECORD_BYTES:
        return size_reject(number, number + 1, raw[:RAW_BYTES])
    where = number, number + 1, raw[:RAW_BYTES]
    try:
        values = layout.mapping.values(record) if layout.mapping else list(record.values())
        try:
            return make(values, *where, (0, unknown))
        except UnloadableError:
            return _repaired(values, where, make, unknown)
    except UnloadableError as error:
        return BadRecord(offset=number, end=number + 1, raw=where[2], rule=error.rule, reason=error.reason)


def _repaired(
    values: Sequence[object],
    where: tuple[int, int, bytes],
    make: Callable[..., Item],
    unknown: tuple[str, ...],
) -> Item:
    """Make an item of values of which one may hold what has to be repaired; raise UnloadableError if not."""
    if any(map(_holds_bytes, values)):
        raise UnloadableError("encoding", f"row {where[0]} has a text that is not UTF-8")
    values, repairs = repaired_values(values)
    return make(values, *where, (repairs, unknown))


def _holds_bytes(value: object) -> bool:
    return isinstance(value, bytes) or (isinstance(value, list) and any(map(_holds_bytes, value)))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
