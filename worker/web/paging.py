"""Pages of lists, by the key of the last item and not by a number: rows that come meanwhile shift nothing."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from worker.web.problems import UnprocessableError

Item = TypeVar("Item")
Row = TypeVar("Row")

MOST = 200
USUAL = 50
CURSOR_CHARS = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many items.")]
After = Annotated[
    str | None, Query(max_length=CURSOR_CHARS, description="`next` of the page before.", examples=[None])
]


class Page(BaseModel, Generic[Item]):
    """Items, and what to give as `after` for those that follow; null with the last page."""

    items: list[Item]
    next: str | None = Field(default=None, examples=[None])


def page_of(
    rows: Sequence[Row], limit: int, describe: Callable[[Row], Any], key: Callable[[Row], Sequence[Any]]
) -> dict[str, Any]:
    """Make a page of up to `limit` rows, of which there is one more if another page follows."""
    shown = rows[:limit]
    following = cursor_of(key(shown[-1])) if len(rows) > limit else None
    return {"items": [describe(row) for row in shown], "next": following}


def cursor_of(key: Sequence[Any]) -> str:
    """Make the text of a cursor."""
    return urlsafe_b64encode(json.dumps(key, default=str).encode()).decode().rstrip("=")


def key_of(cursor: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """Read the key out of a cursor, a kind for each of its values; None if there is no cursor.

    Raises:
        UnprocessableError: it is none of ours.

    """
    if cursor is None:
        return None
    try:
        values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(kind(value) for kind, value in zip(kinds, values, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UnprocessableError("`after` must be `next` of the page before.") from error
