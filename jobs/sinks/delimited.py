"""CSV as RFC 4180 has it: null is an empty field, tags are joined by `|`, times are those of JSON Lines."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

from jobs.sinks.columns import LISTS, TIMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobs.sinks.encoder import Columns


class Csv:
    """Writes a header and a record for each row."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def begin(self) -> bytes:
        """Give the header."""
        return _records([self._names])

    def encode(self, columns: Columns) -> bytes:
        """Give the records of some rows."""
        return _records(zip(*(_cells(name, values) for name, values in columns.items()), strict=True))

    def cut(self) -> bytes:
        """Give nothing: every record is complete."""
        return b""

    def end(self) -> bytes:
        """Give nothing."""
        return b""


def _records(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(name: str, values: Sequence[Any]) -> Sequence[Any]:
    if name in LISTS:
        return ["|".join(items) for items in values]
    if name in TIMES:
        texts: Sequence[Any] = msgspec.to_builtins(values)
        return texts
    return values
