"""What writers differ in: how new rows get into a table, and how changed ones do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.copying import send_copy
from models.likeness import unlike_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from models.copying import Copy
    from models.likeness import Stored
    from models.post import Post
    from models.user import User

    Model = type[User | Post]
    Rows = Sequence[tuple[Any, ...]]
    """Rows as the values of some columns, the primary key first."""
    Prepare = Callable[[Table, Sequence[str], Rows], Copy]


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts rows into tables, in the session's transaction, and leaves nothing else behind.

    `insert` and `update` take `(session, model, columns, rows)`. To `insert`, a row's primary key may be
    None; it gives the keys that the rows have got, in their order. `update` raises BatchConflictError if one
    of the rows is gone. `compare` is `unlike_rows`, or does something beside it.
    """

    name: str
    why: str
    """Why `auto` takes it, in words, for the run's result."""
    records_per_batch: int
    insert: Callable[[AsyncSession, Model, Sequence[str], Rows], Awaitable[Sequence[int]]]
    update: Callable[[AsyncSession, Model, Sequence[str], Rows], Awaitable[None]]
    compare: Callable[..., Awaitable[tuple[Stored, AbstractSet[str]]]] = unlike_rows
    prepare: Prepare | None = None
    """Makes rows with known keys ready for `send`, in any thread; None if `insert` does all at once."""
    send: Callable[[AsyncSession, Copy], Awaitable[None]] = send_copy
    only_on: str | None = None
    """The database that it needs; None means any."""
