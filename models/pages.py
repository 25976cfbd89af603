"""Pages of a list: by keyset, which rows that come and go do not shift, or by offset with the total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from sqlalchemy import and_, func, or_, select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

Item = TypeVar("Item")


class Cursor(NamedTuple):
    """Where a page ended: its last row's value of the column that orders the list, and that row's id."""

    value: str | int | datetime | None
    id: int


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is wanted: `limit` rows after a cursor, or from an offset on, which counts all rows too."""

    limit: int
    after: Cursor | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows of a list, where the next ones begin if there are any, and how many there are if counted."""

    items: Sequence[Item]
    next: Cursor | None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by a column, rows without a value last either way; ties by id, the same way."""

    column: InstrumentedAttribute[Any]
    key: InstrumentedAttribute[int]
    descending: bool = False

    @property
    def kind(self) -> type:
        """The Python type of a cursor's value, for whoever hands cursors out as text."""
        kind: type = self.column.type.python_type
        return kind

    def clauses(self) -> list[ColumnElement[Any]]:
        """Give what to order by; an index on the column and the id serves it."""
        ways = [column.desc() if self.descending else column.asc() for column in self._columns]
        return [self.column.is_(None), *ways] if self._nullable else [*ways]

    def behind(self, cursor: Cursor) -> ColumnElement[bool]:
        """Select the rows that come after a cursor."""
        if self.column is self.key:
            return self._beyond(self.key, cursor.id)
        later_id = self._beyond(self.key, cursor.id)
        if cursor.value is None:
            return and_(self.column.is_(None), later_id)
        beyond = self._beyond(self.column, cursor.value)
        if self._nullable:
            return or_(beyond, and_(self.column == cursor.value, later_id), self.column.is_(None))
        # The first condition alone bounds the range of an index; databases do not see it in a disjunction.
        return and_(self._up_to(cursor.value), or_(beyond, later_id))

    def cursor_of(self, row: object) -> Cursor:
        """Give the cursor that stands behind a row."""
        return Cursor(getattr(row, self.column.key), getattr(row, self.key.key))

    @property
    def _columns(self) -> tuple[InstrumentedAttribute[Any], ...]:
        return (self.key,) if self.column is self.key else (self.column, self.key)

    @property
    def _nullable(self) -> bool:
        return bool(self.column.property.columns[0].nullable)

    def _beyond(self, column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
        return column < value if self.descending else column > value

    def _up_to(self, value: object) -> ColumnElement[bool]:
        return self.column <= value if self.descending else self.column >= value


async def page_of(session: AsyncSession, query: Select[Item], order: Order, paging: Paging) -> Page[Item]:
    """Read a page of a query for one entity, whose conditions are all in its WHERE.

    One statement, besides what the query's options load; one more counts, if an offset is given.
    """
    total = None if paging.offset is None else await _count(session, query, order)
    query = query.order_by(*order.clauses()).limit(paging.limit + 1).offset(paging.offset)
    if paging.after:
        query = query.where(order.behind(paging.after))
    rows = (await session.scalars(query)).all()
    items = rows[: paging.limit]
    return Page(items, order.cursor_of(items[-1]) if len(rows) > paging.limit else None, total)


async def _count(session: AsyncSession, query: Select[Any], order: Order) -> int:
    counting = select(func.count(order.key))
    where = query.whereclause
    return await session.scalar(counting if where is None else counting.where(where)) or 0
