"""How users get into their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import true

from jobs.writers.differences import KEY, WHERE, Differences, layers
from jobs.writers.memory import Memory
from jobs.writers.written import Written
from models.dialect import among
from models.former_row import keep_former
from models.likeness import Likeness
from models.natural_key import lock_rows, reserve_keys
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.sources.record import PostRecord, UserRecord
    from jobs.writers.differences import Values
    from jobs.writers.writer import Writer
    from models.run_file import Origin

COLUMNS = ("name", "email", "reputation", "created_at", "missing_since")
LIKENESS = Likeness(User, COLUMNS, (*[User.__table__.c[name] for name in COLUMNS], true()))


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
        expects_new = bool(memory.expects_new) and layer is records
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
    found = Differences() if expects_new else await _differences(writer, session, origin, records)
    new = found.new(found.left(records))
    keys = await reserve_keys(session, User, [record.external_id for record in new])
    if new:
        site = origin.site
        rows = [(keys[r.external_id], site, r.external_id, *_said(r), *_where(origin, r)) for r in new]
        await writer.insert(session, User, KEY + COLUMNS + WHERE, rows)
    for r in records if found.stored else ():
        if r.external_id in found.stored:
            row_id, before = found.stored[r.external_id]
            if (values := _after(r, before)) != before:
                found.changed[row_id] = (*values, *_where(origin, r))
    if found.changed:
        await lock_rows(session, User, found.changed)
        await keep_former(session, origin.root_id, User, among(session, User.id, found.changed))
        await writer.update(session, User, ("id", *COLUMNS, *WHERE), found.changed_rows())
    return found.written(len(new))


async def _differences(
    writer: Writer, session: AsyncSession, origin: Origin, records: Sequence[UserRecord]
) -> Differences:
    """Find the rows of records that may not say the same; those about which something is unsaid are read."""
    keys = [r.external_id for r in records]

    def lines() -> bytes:
        values = map(_said, records)
        return LIKENESS.lines([*zip(*values, strict=True), [not r.unsaid for r in records]])

    return Differences(*await writer.compare(session, LIKENESS, origin.site, keys, lines))


def _said(r: UserRecord) -> Values:
    """Give the values of COLUMNS: a record that came back is not missing any more."""
    return r.name, r.email, r.reputation, r.created_at, None


def _where(origin: Origin, r: UserRecord) -> Values:
    return origin.file_id, r.offset, r.repairs


def _after(r: UserRecord, before: Values) -> Values:
    """Give the values of COLUMNS after a record, those of `before` where it says nothing."""
    if not r.unsaid:
        return _said(r)
    named = zip(COLUMNS, _said(r), before, strict=True)
    return tuple(stored if column in r.unsaid else value for column, value, stored in named)
