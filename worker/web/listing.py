"""Lists of data: which page is asked for, and how it is shown."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, model_validator

from models.pages import Cursor, Order, Paging
from models.pages import Page as FoundPage
from worker.web.paging import CURSOR_CHARS, MOST, USUAL, Page, cursor_of, key_of
from worker.web.problems import UnprocessableError
from worker.web.values import Id64, Int64, Keepable, Moment

Item = TypeVar("Item")
Row = TypeVar("Row")

MOST_OFFSET = 1_000_000
# What a cursor's value may be: it comes from outside, whoever made it.
SOUND: dict[type, TypeAdapter[Any]] = {
    int: TypeAdapter(Int64 | None),
    str: TypeAdapter(Annotated[str, Keepable] | None),
    datetime: TypeAdapter(Moment | None),
}
SOUND_ID = TypeAdapter(Id64)


class Listing(BaseModel):
    """What any list takes: after a cursor, or from an offset on; then all items are counted, too."""

    limit: int = Field(default=USUAL, ge=1, le=MOST, description="At most so many items.")
    after: str | None = Field(default=None, max_length=CURSOR_CHARS, description="`next` of the page before.")
    offset: int | None = Field(
        default=None, ge=0, le=MOST_OFFSET, description="Pass over so many items; slow where they are many."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.after is not None and self.offset is not None:
            raise ValueError("give `after` or `offset`, not both")
        return self

    def conditions(self) -> dict[str, Any]:
        """Give what is asked of the items."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in PAGING}


PAGING = frozenset(Listing.model_fields)


class CountedPage(Page[Item], Generic[Item]):
    """A page that says how many items there are in all, if an offset was given."""

    total: int | None = Field(default=None, examples=[None])


def paging_of(listing: Listing, order: Order) -> Paging:
    """Read which page is asked for.

    Raises:
        UnprocessableError: the cursor is none of this order's.

    """
    return Paging(listing.limit, _cursor(listing.after, order), listing.offset)


def _cursor(text: str | None, order: Order) -> Cursor | None:
    key = key_of(text, str, SOUND[order.kind].validate_python, SOUND_ID.validate_python)
    if key is None:
        return None
    if key[0] != name_of(order):
        raise UnprocessableError("`after` belongs to a list in another order.")
    return Cursor(*key[1:])


def name_of(order: Order) -> str:
    """Name an order in a cursor."""
    return f"{order.column.key}{' desc' * order.descending}"


def shown(page: FoundPage[Row], order: Order, describe: Callable[[Row], Any]) -> dict[str, Any]:
    """Make the document of a page."""
    following = cursor_of((name_of(order), *page.next)) if page.next else None
    return {"items": [describe(row) for row in page.items], "next": following, "total": page.total}
