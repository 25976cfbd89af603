"""Formats whose packages are an extra, and are imported only where such a file is met."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jobs.sources.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PARQUET_FIRST_BYTES = b"PAR1"
PARQUET_EXTENSION = ".parquet"


def parquet_for(path: Path) -> ModuleType:
    """Give the module that reads Parquet; raise MissingExtraError if its packages are not installed."""
    try:
        return import_module("jobs.sources.parquet")
    except ModuleNotFoundError as error:
        problem = f"is read by the package {error.name}, which is not installed"
        raise MissingExtraError(path, problem, "install headrace[parquet]") from error
