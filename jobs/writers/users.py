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

    from jobs.sources.record import UserRecord
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
        found.put(r, (r.name, r.email, r.reputation, r.created_at, None))
    if found.new:
        await writer.insert(session, User, KEY + COLUMNS + WHERE, found.new)
    if found.changed:
        await lock_rows(session, User, found.changed)
        await keep_former(session, origin.root_id, User, among(session, User.id, found.changed))
        await writer.update(session, User, ("id", *COLUMNS, *WHERE), found.changed_rows())
    return found.written
