"""The first records of a file of any shape, as objects, and how the file is written."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.mapping import FileForm
from jobs.sources import delimited, jsonl
from jobs.sources.errors import MappingError, UnknownFormatError
from jobs.sources.extras import parquet_for
from jobs.sources.glimpse import glimpse
from jobs.sources.grammar import grammar, split
from jobs.sources.opening import format_of
from jobs.sources.record import BadRecord
from jobs.sources.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Format

    Record = dict[str, Any]

RECORDS = 1_000
ROWS_TO_TELL_BY = 50
DELIMITERS = (",", "\t", ";", "|", "~")


class Sample(NamedTuple):
    """The first records, and what a mapping's [file] must say of how they are written."""

    records: list[Record]
    form: FileForm


def sample_of(path: Path, format_: Format | None) -> Sample:
    """Read the first records of a file, without those that are no record.

    Raises:
        SourceError: the file cannot be read, is of a format that needs no mapping, or holds no record.

    """
    seen = glimpse(path)
    chosen = format_ or _format_of(seen)
    if chosen == "stackexchange":
        raise MappingError(path, "is XML, whose attributes are known", "import it without a mapping")
    sample = _SAMPLES[chosen](seen)
    if not sample.records:
        raise UnknownFormatError(path, f"holds no record that could be read as {chosen}", "name its --format")
    return sample


def _format_of(seen: Glimpse) -> Format:
    """Tell the format; what is text and no other is CSV, whatever its columns are called."""
    try:
        return format_of(seen)
    except UnknownFormatError:
        if seen.is_binary:
            raise
        return "csv"


def _of_json_lines(seen: Glimpse) -> Sample:
    lines = islice(jsonl.frames(Window(BytesIO(seen.head), seen.text_start)), RECORDS)
    texts = [line[2].decode(errors="replace") for line in lines if not isinstance(line, BadRecord)]
    if texts and texts[0].lstrip().startswith("["):
        raise UnknownFormatError(seen.path, "is one JSON array", "write one object on each line")
    return Sample(list(filter(None, map(jsonl.object_of, texts))), FileForm(format="jsonl"))


def _of_csv(seen: Glimpse) -> Sample:
    delimiter = max(DELIMITERS, key=lambda each: _width(seen, each))
    first, *others = _rows(seen, delimiter, RECORDS) or [[]]
    has_names = len({*first}) == len(first) and not any(name[:1].isdigit() or "://" in name for name in first)
    names = (
        [name.strip() for name in first]
        if has_names
        else [f"column_{place + 1}" for place in range(len(first))]
    )
    rows = others if has_names else [first, *others]
    form = FileForm(
        format="csv",
        delimiter=None if delimiter == "," else delimiter,
        header=None if has_names else tuple(names),
    )
    whole = (row for row in rows if len(row) == len(names))
    return Sample([{n: field or None for n, field in zip(names, row, strict=True)} for row in whole], form)


def _width(seen: Glimpse, delimiter: str) -> int:
    """Say how many fields all rows have by a delimiter; 1 where they differ."""
    widths = [len(row) for row in _rows(seen, delimiter, ROWS_TO_TELL_BY)]
    usual = max(widths, key=widths.count, default=1)
    return usual if widths.count(usual) * 10 >= len(widths) * 9 else 1


def _rows(seen: Glimpse, delimiter: str, how_many: int) -> Sequence[list[str]]:
    found = delimited.framed(Window(BytesIO(seen.head), seen.text_start), grammar(delimiter))
    frames = (frame for frame in islice(found, how_many) if not isinstance(frame, BadRecord))
    return [split(content.decode(errors="replace"), delimiter) for _, _, content in frames]


def _of_parquet(seen: Glimpse) -> Sample:
    records = parquet_for(seen.path).first_records(seen.path, RECORDS)
    return Sample(records, FileForm(format="parquet"))


_SAMPLES = {"jsonl": _of_json_lines, "csv": _of_csv, "parquet": _of_parquet}
