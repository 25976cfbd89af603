"""How users get into their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.memory import Memory
from jobs.writers.written import Written
from models.dialect import among
from models.former_row import keep_former
from models.natural_key import lock_rows, reserve_keys, stored_rows
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord, UserRecord
    from jobs.writers.differences import Values
    from jobs.writers.writer import Writer
    from models.run_file import Origin

# A record that came back is not missing any more.
COLUMNS = ("name", "email", "reputation", "created_at", "missing_since")


async def write_users(
    writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[UserRecord],
    memory: Memory | None = None,
) -> Written:
    """Insert new users, update changed ones, leave the others alone."""
    memory = memory or Memory()
    written = Written()
    for layer in layers(records):
        expects_new = memory.expects_new and layer is records
        written += await _write(writer, session, origin, layer, expects_new=expects_new)
    memory.learn(written, records)
    return written


async def write_authors(
    writer: Writer, session: AsyncSession, origin: Origin, posts: Sequence[PostRecord]
) -> Written | None:
    """Write the authors that posts carry, each once and as the last of its posts has them.

    They are written in the order of their ids, so that two imports at once do not wait for each other.
    """
    carried = [post.author for post in posts if post.author]
    if not carried:
        return None
    authors = {author.external_id: author for author in carried}
    ordered = [authors[key] for key in sorted(authors)]
    written = await _write(writer, session, origin, ordered, expects_new=False)
    written.skipped = len(carried) - len(authors)
    return written


async def _write(
    writer: Writer,
    session: AsyncSession,
    origin: Origin,
    records: Sequence[UserRecord],
    *,
    expects_new: bool,
) -> Written:
    keys = [record.external_id for record in records]
    stored = {} if expects_new else await stored_rows(session, User, origin.site, keys, COLUMNS)
    free = await reserve_keys(session, User, [key for key in keys if key not in stored])
    found = Differences(origin, stored, free)
    for r in records:
        found.put(r, _values_of(r, found))
    if found.new:
        await writer.insert(session, User, KEY + COLUMNS + WHERE, found.new)
    if found.changed:
        await lock_rows(session, User, found.changed)
        await keep_former(session, origin.root_id, User, among(session, User.id, found.changed))
        await writer.update(session, User, ("id", *COLUMNS, *WHERE), found.changed_rows())
    return found.written


def _values_of(r: UserRecord, found: Differences) -> Values:
    """Give the values of COLUMNS for a record, those that are stored where it says nothing."""
    said = (r.name, r.email, r.reputation, r.created_at, None)
    if not r.unsaid or r.external_id not in found.stored:
        return said
    _, stored = found.stored[r.external_id]
    named = zip(COLUMNS, said, stored, strict=True)
    return tuple(before if column in r.unsaid else value for column, value, before in named)
