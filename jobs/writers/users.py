"""How users get into their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.written import Written
from models.dialect import among, reserve_ids
from models.former_row import keep_former
from models.natural_key import lock_rows, stored_rows
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
    writer: Writer, session: AsyncSession, origin: Origin, records: Sequence[UserRecord]
) -> Written:
    """Insert new users, update changed ones, leave the others alone."""
    written = Written()
    for layer in layers(records):
        written += await _write(writer, session, origin, layer)
    return written


async def _write(
    writer: Writer, session: AsyncSession, origin: Origin, records: Sequence[UserRecord]
) -> Written:
    keys = [record.external_id for record in records]
    found = Differences(origin.file_id, await stored_rows(session, User, origin.site, keys, COLUMNS))
    for r in records:
        found.put(r, (r.name, r.email, r.reputation, r.created_at, None))
    if found.new:
        ids = await reserve_ids(session, User.__table__, len(found.new))
        await writer.insert(session, User, KEY + COLUMNS + WHERE, found.new_rows(origin.site, ids))
    if found.changed:
        await lock_rows(session, User, found.changed)
        await keep_former(session, origin.root_id, User, among(session, User.id, found.changed))
        await writer.update(session, User, ("id", *COLUMNS, *WHERE), found.changed_rows())
    return found.written
