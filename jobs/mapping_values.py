"""How a mapping writes paths, times and delimiters, and what is wrong with those that it cannot mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Discriminator, Field, StrictStr, Tag

from jobs.keepable import keepable

EPOCH_UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
# A path is written like a dotted key of TOML: a name that holds a dot itself stands in double quotes.
STEP = re.compile(r'"([^"]+)"|([^".]+)')
PATH = re.compile(r'(?:"[^"]+"|[^".]+)(?:\.(?:"[^"]+"|[^".]+))*')
SOME_TIME = datetime(2001, 12, 23, 4, 5, 6, tzinfo=UTC)


def steps(path: str) -> tuple[str, ...]:
    """Give the names that lead to a value, from the outside in."""
    return tuple(quoted or bare for quoted, bare in STEP.findall(path))


def _path(path: str) -> str:
    if not PATH.fullmatch(path):
        raise ValueError(f"{path!a} is no path; write names with dots between them, like account.id")
    return path


def _date(written: str) -> str:
    if written not in EPOCH_UNITS and not _says_a_day(written):
        units = ", ".join(EPOCH_UNITS)
        raise ValueError(f"{written!a} says no day; write it like %d/%m/%Y %H:%M, or as one of {units}")
    return written


def _says_a_day(format_: str) -> bool:
    try:
        read = datetime.strptime(SOME_TIME.strftime(format_), format_)  # noqa: DTZ007 - its day is looked at
    except (ValueError, re.error):  # re.error: a directive that is there twice
        return False
    return read.date() == SOME_TIME.date()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!a} is no time zone; write it like Europe/Rome") from error
    return name


def _delimiter(written: str) -> str:
    if len(written) != 1 or not written.isascii() or written in '"\r\n\0':
        raise ValueError(f"{written!a} is no delimiter; write one ASCII character that is no quote")
    return written


def form(value: object) -> str:
    """Tell in which of the forms that a mapping allows a value is written."""
    if isinstance(value, str):
        return A_PATH
    return SEVERAL_PATHS if isinstance(value, list | tuple) else A_TABLE


FORM = Discriminator(form)
A_PATH, SEVERAL_PATHS, A_TABLE = "a path", "several paths", "a table"
FORMS = (A_PATH, SEVERAL_PATHS, A_TABLE)
Word = Annotated[StrictStr, Field(max_length=1_000), AfterValidator(keepable)]
Words = Annotated[tuple[Word, ...], Field(max_length=1_000)]
NotEmpty = Annotated[Word, Field(min_length=1)]
Path = Annotated[Word, AfterValidator(_path)]
OnePath = Annotated[Path, Tag(A_PATH)]
SeveralPaths = Annotated[tuple[Path, ...], Field(min_length=1, max_length=100), Tag(SEVERAL_PATHS)]
DateFormat = Annotated[StrictStr, Field(max_length=100), AfterValidator(_date)]
Zone = Annotated[StrictStr, Field(max_length=100), AfterValidator(_zone)]
Delimiter = Annotated[StrictStr, AfterValidator(_delimiter)]
