"""Single values: what a source wrote, made the type its field has, or a reason why not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jobs.sources.errors import UnloadableError
from jobs.sources.text import REPLACEMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

ID_CHARS = 64
TAG_CHARS = 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_WITHOUT_ZONE = EPOCH.replace(tzinfo=None)
FIRST_DAY = datetime(1, 1, 2, tzinfo=UTC)
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = FIRST_DAY.year, LAST_DAY.year
INTEGER = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
MAX_INTEGER_CHARS = 40
DIGITS_THAT_FIT = 9  # into 32 bits, the smallest size there is
EPOCH_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
YEAR_OR_DAY = re.compile(r"[0-9]{4}(?:[0-9]{4})?")


def text(field: str, value: object, limit: int | None = None) -> str | None:
    """Give the text as it is, at most `limit` characters long; an empty text is not an absent one."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise UnloadableError("type", f"{field} is not text: {shown(value)}")
    if limit is not None and len(value) > limit:
        raise UnloadableError("length", f"{field} has {len(value)} characters, {limit} are allowed")
    if "\0" in value:
        raise UnloadableError("character", f"{field} holds U+0000, which cannot be kept")
    return value


def identifier(field: str, value: object) -> str | None:
    """Give an id of 1 to 64 characters, made from text or an integer; an empty one counts as absent."""
    if value is None:
        return None
    if isinstance(value, str) and value.isalnum() and len(value) <= ID_CHARS:
        return value  # what nearly all ids are, and none of what is looked for below
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    given = (text(field, value) or "").strip()
    if REPLACEMENT in given:
        raise UnloadableError("character", f"{field} holds a character that cannot be kept: {shown(given)}")
    return text(field, given, ID_CHARS) or None


def integer(field: str, value: object, bits: int) -> int | None:
    """Give a signed integer of that many bits, from a number or its decimal notation; empty is absent."""
    if isinstance(value, str) and len(value) <= DIGITS_THAT_FIT and value.isdecimal() and value.isascii():
        return int(value)  # what nearly all are
    number = _number(field, value.strip() if isinstance(value, str) else value)
    if number is not None and not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise UnloadableError("range", f"{field} does not fit {bits} bits: {shown(value)}")
    return number


def _number(field: str, value: object) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and INTEGER.fullmatch(value):
        if len(value) > MAX_INTEGER_CHARS:
            raise UnloadableError("range", f"{field} has {len(value)} digits: {shown(value)}")
        return int(value.partition(".")[0])
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise UnloadableError("number", f"{field} is not an integer: {shown(value)}")


def moment(field: str, value: object) -> datetime | None:
    """Give the UTC time of an ISO 8601 text (without a zone: UTC) or of epoch seconds; empty is absent."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and not (value[4:5] != "-" and is_number(value)):
            return _utc(datetime.fromisoformat(value))
        if isinstance(value, str) and YEAR_OR_DAY.fullmatch(value):
            raise UnloadableError("date", f"{field} may be a date or epoch seconds: {shown(value)}")
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return _utc(EPOCH + timedelta(seconds=float(value)))
        if isinstance(value, datetime):
            return _utc(value)
    except (ValueError, OverflowError) as error:
        raise UnloadableError("date", f"{field} is no date of the years 1 to 9999: {shown(value)}") from error
    raise UnloadableError("date", f"{field} is neither an ISO 8601 text nor epoch seconds: {shown(value)}")


def is_number(value: str) -> bool:
    """Tell epoch seconds from other texts."""
    return EPOCH_SECONDS.fullmatch(value) is not None


def _utc(moment: datetime) -> datetime:
    """Refuse the first and the last day: drivers take the ends of the calendar for infinity."""
    if moment.tzinfo is None:
        moment = EPOCH + (
            moment - EPOCH_WITHOUT_ZONE
        )  # several times faster than replacing tzinfo, and the same
    elif moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if FIRST_YEAR < moment.year < LAST_YEAR or FIRST_DAY <= moment < LAST_DAY:
        return moment
    raise OverflowError


def tag_names(field: str, value: object) -> tuple[str, ...]:
    """Give distinct tag names in their order, from a list or the notations `<a><b>`, `|a|b|` and `a|b`."""
    if value is None or value == "":
        return ()
    names = value if isinstance(value, list) else _split(text(field, value) or "")
    if not isinstance(value, str) or len(value) > TAG_CHARS:
        names = [text(field, name, TAG_CHARS) or "" for name in names]
    return distinct(names)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Give names without the space around them, each once, in their order; empty ones are left out."""
    kept = dict.fromkeys(map(str.strip, names))
    kept.pop("", None)
    return tuple(kept)


def _split(notation: str) -> list[str]:
    bare = notation.strip()
    if bare.startswith("<") and bare.endswith(">"):
        return bare[1:-1].split("><")
    return bare.split("|")


def shown(value: object) -> str:
    """Give a value for a message: quoted, on one line, and short."""
    quoted = ascii(value)
    return quoted if len(quoted) <= ID_CHARS else f"{quoted[:ID_CHARS]}…"
