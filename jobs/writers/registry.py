"""The writers, and which one `auto` means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import InputError
from jobs.writers import add_all, copy
from jobs.writers.posts import write_posts
from jobs.writers.tags import write_tags
from jobs.writers.users import write_users
from jobs.writers.writer import Writer
from models.copying import prepare_copy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobs.sources.record import Entity
    from jobs.writers.written import Written

# The larger batches of `copy` spread the round trips of a transaction over more rows; objects cost memory.
WRITERS: tuple[Writer, ...] = (
    Writer(
        *("copy", "PostgreSQL has COPY", 5_000, copy.insert, copy.update),
        prepare=prepare_copy,
        only_on="postgresql",
    ),
    Writer("add_all", "it is for every database", 2_000, add_all.insert, add_all.update),
)

# How the records of each entity are written: `(writer, session, origin, records) -> Written`, perhaps with a
# `memory` of the batches before. It may be called again with a part of the records after the database
# refused the whole.
WRITES: dict[Entity, Callable[..., Awaitable[Written]]] = {
    "users": write_users,
    "posts": write_posts,
    "tags": write_tags,
}


def choose_writer(name: str, dialect: str) -> Writer:
    """Find a writer by name for a database; `auto` takes the first that it can use.

    Raises:
        InputError: there is no such writer, or the database cannot use it.

    """
    usable = [writer for writer in WRITERS if writer.only_on in {None, dialect}]
    for writer in usable:
        if name in {"auto", writer.name}:
            return writer
    names = ", ".join(writer.name for writer in usable)
    raise InputError(f"the writer {name!r} is unknown, or not for {dialect}; there are auto, {names}")
