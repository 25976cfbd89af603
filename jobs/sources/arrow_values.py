"""The values of Arrow's columns as Python has them, whatever is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.sources.values import EPOCH, EPOCH_WITHOUT_ZONE

if TYPE_CHECKING:
    from datetime import datetime

NOT_GIVEN = "a value that cannot be given"
UNGIVABLE = (pa.ArrowException, ValueError, OverflowError)  # by Python's types


def values_of(column: pa.Array) -> list[Any]:
    """Give the values of a column as texts, numbers, times, lists or objects; bytes that are not UTF-8."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return values_of(column.dictionary_decode())
    if pa.types.is_struct(kind):
        return _objects(column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _times(column)
    try:
        # How a value is given must not depend on those beside it, so only lists of texts are tried at once.
        is_simple = not pa.types.is_nested(kind) or (
            pa.types.is_list(kind) and pa.types.is_string(kind.value_type)
        )
        values = column.to_pylist() if is_simple else list(map(_value, column))
    except UNGIVABLE:
        values = list(map(_value, column))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [_text(value) for value in values]
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in values]
    return list(values)


def _value(scalar: pa.Scalar) -> Any:
    """Give a value of a column of which not all can be given as they are."""
    if isinstance(scalar, pa.ListScalar):
        return values_of(scalar.values) if scalar.is_valid else None
    if isinstance(scalar, pa.StringScalar):
        return _text(scalar.as_buffer().to_pybytes()) if scalar.is_valid else None
    try:
        return scalar.as_py()
    except UNGIVABLE:
        return NOT_GIVEN


def _times(column: pa.Array) -> list[object]:
    """Give times, without a zone where the column has none."""
    epoch = EPOCH if _has_zone(column.type) else EPOCH_WITHOUT_ZONE
    micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return [None if value is None else _time(value, epoch) for value in micros.to_pylist()]


def _has_zone(kind: pa.DataType) -> bool:
    try:
        return getattr(kind, "tz", None) is not None
    except UnicodeDecodeError:  # of its name
        return True


def _objects(column: pa.StructArray) -> list[dict[str, Any]]:
    """Give the objects of a structured column; one that is null has no values."""
    names = [column.type.field(place).name for place in range(column.type.num_fields)]
    fields = map(values_of, column.flatten())
    rows = zip(range(len(column)), *fields, strict=True)
    return [dict(zip(names, row, strict=True)) for _, *row in rows]


def _time(micros: int, epoch: datetime) -> object:
    try:
        return epoch + timedelta(microseconds=micros)
    except OverflowError:
        return f"{micros} microseconds since 1970"


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return value and value.decode()
    except UnicodeDecodeError:
        return value
