"""What comes by standard input, kept as a file: a run may be tried again, and a pipe is read once."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from jobs.errors import InputError
from worker.fetching import inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from worker.settings import Settings

STANDARD_INPUT = "-"
CHUNK_BYTES = 1024 * 1024
PRIVATE = 0o700


@contextmanager
def input_kept(paths: tuple[str, ...], settings: Settings) -> Iterator[tuple[str, ...]]:
    """Give the paths with the file that keeps standard input in the place of `-`; without it if that fails.

    Raises:
        InputError: standard input holds nothing, or too much; or what the block says of its file.

    """
    if STANDARD_INPUT not in paths:
        yield paths
        return
    if paths.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input (-) can be read once")
    kept = _keep(settings)
    try:
        yield tuple(str(kept) if path == STANDARD_INPUT else path for path in paths)
    except InputError as error:
        kept.unlink()
        raise InputError(str(error).replace(str(kept), "standard input")) from error
    except BaseException:
        kept.unlink()
        raise


def _keep(settings: Settings) -> Path:
    """Write standard input to a file that is there whole or not at all."""
    folder = inputs_of(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    kept = folder / uuid4().hex
    part = kept.with_suffix(".part")
    try:
        with part.open("xb") as file:
            _copy(file, settings.fetch_bytes)
            os.fsync(file.fileno())
        return part.rename(kept)
    finally:
        part.unlink(missing_ok=True)


def _copy(file: BinaryIO, most_bytes: int) -> None:
    size = 0
    while data := sys.stdin.buffer.read(CHUNK_BYTES):
        size += len(data)
        if size > most_bytes:
            raise InputError(
                f"standard input: is larger than {most_bytes:,} bytes; HEADRACE_FETCH_BYTES allows more"
            )
        file.write(data)
    if not size:
        raise InputError("standard input: holds nothing; check the command before the pipe")
