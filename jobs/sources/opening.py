"""Which files there are, what each holds, and where its first record begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jobs.sources import delimited
from jobs.sources.compression import inner_name
from jobs.sources.entities import entity_of_fields
from jobs.sources.errors import (
    AmbiguousFilesError,
    FileNotReadableError,
    MappingError,
    NoDumpFilesError,
    UnknownFormatError,
)
from jobs.sources.extras import PARQUET_EXTENSION, PARQUET_FIRST_BYTES, parquet_for
from jobs.sources.glimpse import glimpse
from jobs.sources.layout import Layout
from jobs.sources.reading import SOURCES, read
from jobs.sources.record import Item
from jobs.sources.streams import opened

if TYPE_CHECKING:
    from pathlib import Path, PurePath

    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity, Format

__all__ = ["SOURCES", "Item", "Layout", "find_files", "inspect", "opened", "read"]

EXTENSIONS = (*(extension for source in SOURCES for extension in source.extensions), PARQUET_EXTENSION)
LOADING_ORDER: tuple[Entity, ...] = ("users", "tags", "posts")


def inspect(
    path: Path,
    *,
    format: Format | Literal["auto"],  # noqa: A002
    entity: Entity | Literal["auto"],
    mapping: FieldMapping | None = None,
) -> Layout:
    """Tell how to read a file, from its name, its first MiB and its end; no record is read.

    Raises a SourceError (an InputError) if the file cannot be read as asked, or nothing says what it holds.
    """
    seen = glimpse(path)
    chosen = format_of(seen, mapping) if format == "auto" else format
    asked = None if entity == "auto" else entity
    if mapping and mapping.file.is_csv and chosen != "csv":
        problem = f"is {chosen}, but its mapping has a delimiter or header, which are for CSV"
        raise MappingError(path, problem, "leave them out of [file] of the mapping")
    if chosen == "parquet":
        found: Layout = parquet_for(path).look(seen, asked, mapping)
        return found
    return next(source for source in SOURCES if source.format == chosen).look(seen, asked, mapping)


def format_of(seen: Glimpse, mapping: FieldMapping | None = None) -> Format:
    """Tell the format by the mapping, the first byte, the extension, or else by the names in a header."""
    if mapping and (said := mapping.file.format or ("csv" if mapping.file.is_csv else None)):
        return said
    if seen.head.startswith(PARQUET_FIRST_BYTES):
        return "parquet"
    first_byte = seen.head[seen.text_start :].lstrip()[:1]
    by_content = (source.format for source in SOURCES if source.first_byte == first_byte)
    by_name = (source.format for source in SOURCES if seen.name.suffix.lower() in source.extensions)
    if known := next(by_content, None) or next(by_name, None):
        return known
    if not seen.is_binary and entity_of_fields(delimited.header(seen)[0]):
        return "csv"
    problem = "binary data" if seen.is_binary else "no format that is known"
    raise UnknownFormatError(seen.path, f"holds {problem}", "check the file or name its format with --format")


def dump_entity(path: PurePath) -> Entity | None:
    """Tell what a file named Users, Tags or Posts (in any case) of a dump holds; None for another one."""
    name = inner_name(path)
    known = (entity for entity in LOADING_ORDER if entity == name.stem.lower())
    return next(known, None) if name.suffix.lower() in EXTENSIONS else None


def find_files(folder: Path) -> dict[Entity, Path]:
    """Give a folder's files named Users, Tags and Posts (in any case), in the order they are to be loaded.

    Raises a SourceError if there is none, or two for one entity.
    """
    try:
        files = [(path, dump_entity(path)) for path in sorted(folder.iterdir()) if path.is_file()]
    except (OSError, ValueError) as error:
        raise FileNotReadableError(folder, "is no folder that can be listed", "check the path") from error
    found: dict[Entity, Path] = {}
    for entity in LOADING_ORDER:
        named = [path for path, holds in files if holds == entity]
        if len(named) > 1:
            names = " and ".join(path.name for path in named)
            raise AmbiguousFilesError(
                folder, f"holds {names} for {entity}", "name the files to import one by one"
            )
        found.update((entity, path) for path in named)
    if not found:
        extensions = ", ".join(EXTENSIONS)
        raise NoDumpFilesError(
            folder, f"holds no file named Users, Tags or Posts ({extensions})", "name the files instead"
        )
    return found
