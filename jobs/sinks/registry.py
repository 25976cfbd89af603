"""The formats of exports, and how one is chosen."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jobs.errors import InputError
from jobs.sinks.compression import COMPRESSIONS, Compressed
from jobs.sinks.delimited import Csv
from jobs.sinks.jsonl import JsonLines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobs.request_values import ExportFormat
    from jobs.sinks.encoder import Encoder


def encoder_of(names: Sequence[str], format_: ExportFormat, path: Path) -> Encoder:
    """Make the encoder of a file with these columns; its name's ending says whether it is compressed.

    Raises:
        InputError: the format needs a package that is not installed.

    """
    encoder = ENCODERS[format_](names)
    compression = COMPRESSIONS.get(path.suffix.lower())
    return Compressed(encoder, compression) if compression else encoder


def _parquet(names: Sequence[str]) -> Encoder:
    """Import what takes long to import, and is there only with its extra."""
    try:
        module = import_module("jobs.sinks.parquet")
    except ModuleNotFoundError as error:
        raise InputError(f"Parquet needs {error.name}: pip install 'headrace[parquet]'") from error
    encoder: Encoder = module.Parquet(names)
    return encoder


ENCODERS: dict[ExportFormat, Callable[[Sequence[str]], Encoder]] = {
    "jsonl": JsonLines,
    "csv": Csv,
    "parquet": _parquet,
}
