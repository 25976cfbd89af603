"""The writers, and which one `auto` means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import InputError
from jobs.writers.add_all import write_posts, write_tags, write_users

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from jobs.writers.written import Written


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts records into tables, one function per entity: `(session, site, records) -> Written`.

    A writer may be called again with a part of the records after the database refused the whole; it leaves
    nothing behind but what the session's transaction holds.
    """

    name: str
    entities: Mapping[str, Callable[..., Awaitable[Written]]]


WRITERS: tuple[Writer, ...] = (
    Writer("add_all", {"users": write_users, "posts": write_posts, "tags": write_tags}),
)


def choose_writer(name: str) -> Writer:
    """Find a writer by name; `auto` takes the first.

    Raises:
        InputError: there is no such writer.

    """
    for writer in WRITERS:
        if name in {"auto", writer.name}:
            return writer
    raise InputError(f"unknown writer {name!r}; known are auto, {', '.join(w.name for w in WRITERS)}")
