"""Times as a mapping says that they are written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jobs.mapping_values import EPOCH_UNITS
from jobs.sources.errors import UnloadableError
from jobs.sources.values import EPOCH, EPOCH_SECONDS, is_number, shown

if TYPE_CHECKING:
    from collections.abc import Callable


def time_reader(field: str, date: str | None, zone: str | None) -> Callable[[Any], object]:
    """Give what makes a value a time, or leaves it as it is for the rules of all times.

    What it gives raises UnloadableError if the value is not written as `date` says.
    """
    placed = ZoneInfo(zone) if zone else None

    def read(value: Any) -> object:
        if isinstance(value, str):
            value = value.strip()
        if value == "" or isinstance(value, bool):
            return value
        try:
            return _in_zone(_read(value, date), placed)
        except (ValueError, OverflowError) as error:
            how = f"written as {date!a}" if date else "a date"
            raise UnloadableError("date", f"{field} is not {how}: {shown(value)}") from error

    return read


def _read(value: Any, date: str | None) -> object:
    if date is None:
        is_text = isinstance(value, str) and not is_number(value)
        return datetime.fromisoformat(value) if is_text else value
    if date in EPOCH_UNITS:
        return _since_epoch(value, EPOCH_UNITS[date])
    if isinstance(value, str | int):
        return datetime.strptime(str(value), date)  # noqa: DTZ007 - its zone is the mapping's
    if isinstance(value, datetime):
        return value
    raise ValueError(value)


def _since_epoch(value: Any, units_a_second: int) -> datetime:
    if isinstance(value, int | float) or (isinstance(value, str) and EPOCH_SECONDS.fullmatch(value)):
        return EPOCH + timedelta(seconds=float(value) / units_a_second)
    if isinstance(value, datetime):
        return value
    raise ValueError(value)


def _in_zone(value: object, zone: ZoneInfo | None) -> object:
    """Put a time that names no zone into the mapping's; of an hour that comes twice it is the first."""
    if zone and isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=zone)
    return value
