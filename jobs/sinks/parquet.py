"""Parquet with typed columns; it needs the extra `parquet`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from jobs.sinks.columns import FLOATS, INTEGERS, LISTS, TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.sinks.encoder import Columns

GROUP_ROWS = 100_000
GROUP_BYTES = 16 * 1024 * 1024  # as Arrow holds it in memory; the file has it compressed


class Parquet:
    """Writes row groups of GROUP_ROWS rows, or of fewer where they take GROUP_BYTES.

    Times are UTC with microseconds, tags lists of text, pages compressed by zstd.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._schema = pa.schema([(name, _type_of(name)) for name in names])
        self._written = _Written()
        self._writer = ParquetWriter(self._written, self._schema, compression="zstd")
        self._group: list[pa.RecordBatch] = []

    def begin(self) -> bytes:
        """Give the magic number."""
        return self._written.take()

    def encode(self, columns: Columns) -> bytes:
        """Give the row group that is complete with some more rows, or nothing."""
        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        self._group.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        rows = sum(batch.num_rows for batch in self._group)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in self._group) >= GROUP_BYTES:
            self._write_group()
        return self._written.take()

    def cut(self) -> None:
        """Tell that a file cannot be gone on with: what says where its row groups are comes last."""

    def end(self) -> bytes:
        """Give the last row group and the footer."""
        self._write_group()
        self._writer.close()
        return self._written.take()

    def _write_group(self) -> None:
        if self._group:
            table = pa.Table.from_batches(self._group)
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._group.clear()
            pa.default_memory_pool().release_unused()  # it would keep some for each thread that wrote


def _type_of(name: str) -> pa.DataType:
    if name in TIMES:
        return pa.timestamp("us", tz="UTC")
    if name in LISTS:
        return pa.list_(pa.string())
    if name in FLOATS:
        return pa.float64()
    return pa.int64() if name in INTEGERS else pa.string()


class _Written(io.RawIOBase):
    """Takes what a writer writes, until somebody fetches it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Keep some bytes."""
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Give what was written since."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken
