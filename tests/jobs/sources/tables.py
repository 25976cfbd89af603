"""Tables of any columns, for tests of the reader of Parquet."""

from __future__ import annotations

import string
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.mapping import FieldMapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

NAMES = (
    "external_id",
    "created_at",
    "title",
    "content",
    "tags",
    "score",
    "author",
    "author_name",
    "kind",
    "a.b",
    "\0",
    "",
)
WORDS = (
    "",
    "a",
    "a|b",
    "<a><b>",
    "null",
    "5",
    "1e400",
    "2020-01-01",
    "\0",
    "é",
    "🍺",
    "x" * 300,
    "-" * 2_000,
)
NOT_UTF_8 = (b"\xff", b"ok", b"\xed\xa0\x80", b"\xf8\x88")
EXTREME = (0, 1, -1, 2**31 - 1, 2**63 - 1, -(2**63), 1_577_880_000, 10**15)
UNITS = ("s", "ms", "us", "ns")


def any_table(random: Random) -> pa.Table:
    """Make a table that mostly has what a post needs."""
    rows = random.randint(0, 12)
    names = [name for name in NAMES if random.random() < (0.9 if name in NAMES[:2] else 0.4)]
    return pa.table([any_column(random, rows) for _ in names], names=names)


def any_column(random: Random, rows: int) -> pa.Array:
    """Make a column of any type, with nulls."""
    make = random.choice(COLUMNS)
    column = make(random, rows)
    if random.random() < 0.3 and not pa.types.is_null(column.type):
        nulls = pa.array([random.random() < 0.3 for _ in range(rows)], pa.bool_())
        column = pc.if_else(nulls, pa.scalar(None, column.type), column)
    return column


def _texts(random: Random, rows: int) -> pa.Array:
    words = [random.choice(WORDS) + random.choice(string.ascii_letters) for _ in range(rows)]
    return pa.array(words, random.choice([pa.string(), pa.large_string()]))


def _no_texts(random: Random, rows: int) -> pa.Array:
    return pa.array([random.choice(NOT_UTF_8) for _ in range(rows)], pa.binary()).view(pa.string())


def _bytes(random: Random, rows: int) -> pa.Array:
    return pa.array([random.choice(NOT_UTF_8) for _ in range(rows)], pa.binary())


def _numbers(random: Random, rows: int) -> pa.Array:
    kind = random.choice([pa.int8(), pa.int32(), pa.int64(), pa.uint64()])
    return pa.array([random.randint(0, 127) for _ in range(rows)], kind)


def _wide(random: Random, rows: int) -> pa.Array:
    return pa.array([random.choice(EXTREME) for _ in range(rows)], pa.int64())


def _floats(random: Random, rows: int) -> pa.Array:
    values = (0.0, 5.0, 1.5, float("nan"), float("inf"), 1e300, 1_577_880_000.25)
    return pa.array([random.choice(values) for _ in range(rows)], random.choice([pa.float32(), pa.float64()]))


def _flags(random: Random, rows: int) -> pa.Array:
    return pa.array([random.random() < 0.5 for _ in range(rows)], pa.bool_())


def _times(random: Random, rows: int) -> pa.Array:
    kind = pa.timestamp(random.choice(UNITS), random.choice([None, "UTC", "Europe/Rome"]))
    return _wide(random, rows).cast(kind)


def _dates(random: Random, rows: int) -> pa.Array:
    return pa.array(
        [random.choice((0, 1, -1, 2**31 - 1, -(2**31), 18_262)) for _ in range(rows)], pa.int32()
    ).cast(pa.date32())


def _of_the_day(random: Random, rows: int) -> pa.Array:
    kind = pa.time64(random.choice(("us", "ns")))
    return pa.array([random.choice((0, 1, 86_399, 10**11, 2**62)) for _ in range(rows)], pa.int64()).view(
        kind
    )


def _durations(random: Random, rows: int) -> pa.Array:
    return _wide(random, rows).cast(pa.duration(random.choice(UNITS)))


def _decimals(random: Random, rows: int) -> pa.Array:
    kind = random.choice([pa.decimal128(38, 0), pa.decimal128(10, 2), pa.decimal256(70, 0)])
    return pa.array([Decimal(random.randint(-999, 999)) for _ in range(rows)], kind)


def _chosen(random: Random, rows: int) -> pa.Array:
    return _texts(random, rows).dictionary_encode()


def _nothing(_random: Random, rows: int) -> pa.Array:
    return pa.nulls(rows)


def _lists(random: Random, rows: int) -> pa.Array:
    lengths = [random.randint(0, 3) for _ in range(rows)]
    inner = random.choice([_texts, _no_texts, _times, _objects, _wide, _of_the_day])(random, sum(lengths))
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner)


def _objects(random: Random, rows: int) -> pa.Array:
    fields = [name for name in ("id", "name", "n", "a.b") if random.random() < 0.8] or ["id"]
    makers = [random.choice([_texts, _no_texts, _wide, _times, _nothing, _decimals]) for _ in fields]
    return pa.StructArray.from_arrays([make(random, rows) for make in makers], names=fields)


def _maps(random: Random, rows: int) -> pa.Array:
    pairs = [[(random.choice(WORDS), 1)] * random.randint(0, 2) for _ in range(rows)]
    return pa.array(pairs, pa.map_(pa.string(), pa.int64()))


COLUMNS: tuple[Callable[[Any, int], pa.Array], ...] = (
    _texts,
    _texts,
    _no_texts,
    _bytes,
    _numbers,
    _wide,
    _floats,
    _flags,
    _times,
    _dates,
    _of_the_day,
    _durations,
    _decimals,
    _chosen,
    _nothing,
    _lists,
    _lists,
    _objects,
    _maps,
)


def mapping_of(table: pa.Table) -> FieldMapping | None:
    """Give a mapping that reads a table's columns, and objects in them; None if a post needs more."""
    there = [name for name in table.column_names if name not in ("\0", "")]
    if not {"external_id", "created_at"} <= set(there):
        return None
    inner = {
        name: field.type.field(0).name
        for name, field in zip(table.column_names, table.schema, strict=True)
        if pa.types.is_struct(field.type)
    }
    paths = {name: f'"{name}"."{inner[name]}"' if name in inner else f'"{name}"' for name in there}
    said: dict[str, Any] = {name: paths[name] for name in ("title", "score", "kind") if name in paths}
    said |= {"external_id": paths["external_id"], "content": [*paths.values()]}
    said["created_at"] = {"path": paths["created_at"], "zone": "Europe/Rome"}
    said["tags"] = {"path": paths.get("tags", paths["external_id"]), "separator": ",", "name": "name"}
    said["author"] = {
        "external_id": [paths[name] for name in ("author", "a.b", "external_id") if name in paths]
    }
    return FieldMapping.model_validate(said)
