"""What the values at one path of many records look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from jobs.sources.errors import UnloadableError
from jobs.sources.times import time_reader
from jobs.sources.values import EPOCH, INTEGER, moment, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jobs.sources.samples import Record

Looks = Literal["nothing", "time", "number", "flag", "text", "names", "objects", "mixed"]
DEEPEST = 4
NAME_CHARS = 200
NULL_WORDS = ("null", "NULL", "Null", "\\N", "None", "NaN", "nan", "N/A", "n/a")
GONE_WORDS = ("[deleted]", "[removed]", "[deleted by user]")
FLAGS = {"true", "false", "yes", "no"}
DATE_FORMATS = (
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S %Z",
    "%Y-%m-%d %H:%M:%S %z",
    "%a %b %d %H:%M:%S %z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y",
    "%B %d, %Y",
    "milliseconds",
    "microseconds",
)
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=EPOCH.tzinfo), datetime(2100, 1, 1, tzinfo=EPOCH.tzinfo)


@dataclass(frozen=True, slots=True)
class Observed:
    """The values at one path that are there, of so many records."""

    path: tuple[str, ...]
    values: Sequence[Any]
    records: int
    nulls: tuple[str, ...]
    """The words among them that mean that there is no value."""

    @property
    def name(self) -> str:
        """The last name of the path, without what writers differ in."""
        return plain(self.path[-1])

    @property
    def can_be_written(self) -> bool:
        """Whether a mapping can name the path."""
        return all(
            step.isprintable() and 0 < len(step) <= NAME_CHARS and '"' not in step for step in self.path
        )

    @property
    def is_everywhere(self) -> bool:
        """Whether no record is without a value."""
        return len(self.values) == self.records

    @property
    def is_key(self) -> bool:
        """Whether nearly each record has a value of its own."""
        return self.is_everywhere and len({*map(str, self.values)}) * 10 >= self.records * 9

    @property
    def example(self) -> str:
        """One of the values, on one line."""
        return shown(self.values[0]) if self.values else "null"

    @property
    def looks(self) -> Looks:
        """What all values are."""
        kinds = {_kind(value) for value in self.values}
        return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "nothing"

    def date(self) -> str | None:
        """Give the first format that nearly all values are written in, "" for one that needs no saying."""
        if self.looks not in {"text", "number", "time"}:
            return None
        return next((how for how in ("", *DATE_FORMATS) if self._are_times(how)), None)

    def also_written(self, date: str) -> str | None:
        """Give another order of day and month in which they may be meant as well."""
        other = date.replace("%m/%d", "%d/%m") if "%m/%d" in date else date.replace("%d/%m", "%m/%d")
        return other if other != date and self._are_times(other) else None

    def _are_times(self, how: str) -> bool:
        """Tell whether nine values of ten are times of our days; the first ones that are not decide."""
        read = time_reader("created_at", how or None, None)
        wrong, most = 0, len(self.values) // 10
        for value in self.values:
            wrong += not _is_time(read, value)
            if wrong > most:
                return False
        return bool(self.values)


def _is_time(read: Callable[[Any], object], value: Any) -> bool:
    try:
        time = moment("created_at", read(value))
    except UnloadableError:
        return False
    return time is not None and EARLIEST <= time <= LATEST


def plain(name: str) -> str:
    """Give a name without case and punctuation."""
    return re.sub("[^a-z0-9]", "", name.lower())


def observed(records: Sequence[Record]) -> list[Observed]:
    """Look at each path of the records, in the order in which they appear."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for record in records:
        for path, value in _leaves(record, ()):
            there = found.setdefault(path, [])
            if value is not None and value not in ("", [], {}):
                there.append(value)
    outer = {path[:length] for path in found for length in range(1, len(path))}
    return [_observed(path, found[path], len(records)) for path in found if path not in outer or found[path]]


def _observed(path: tuple[str, ...], values: list[Any], records: int) -> Observed:
    texts = {value for value in values if isinstance(value, str)}
    nulls = tuple(word for word in (*NULL_WORDS, *GONE_WORDS) if word in texts)
    kept = [value for value in values if not (isinstance(value, str) and value in nulls)] if nulls else values
    return Observed(path, kept, records, nulls)


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, below in value.items():
        if isinstance(below, dict) and below and len(path) < DEEPEST:
            yield from _leaves(below, (*path, name))
        else:
            yield (*path, name), below


def _kind(value: Any) -> Looks:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in FLAGS):
        return "flag"
    if isinstance(value, int | float) or (isinstance(value, str) and INTEGER.fullmatch(value)):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, datetime):
        return "time"
    if isinstance(value, list):
        return "objects" if all(isinstance(each, dict) for each in value) else "names"
    return "mixed"
