"""What would become of users."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jobs.planning.values import GIVEN, counted, values_of
from jobs.writers.differences import layers
from jobs.writers.users import COLUMNS
from jobs.writers.written import Written
from models.database import to_its_end
from models.natural_key import stored_rows
from models.site_rows import waiting_posts
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.planning.foresight import Foresight
    from jobs.sources.record import UserRecord
    from jobs.writers.differences import Values

MARK = COLUMNS.index("missing_since")


async def plan_users(foresight: Foresight, records: Sequence[UserRecord]) -> Written:
    """Count a batch of users as the import would; those who are new get the posts that wait for them."""
    session, site = foresight.session, foresight.site
    keys = {record.external_id for record in records}
    stored = await stored_rows(session, User, site, keys, COLUMNS)
    waiting = await waiting_posts(session, site, keys - stored.keys())
    written = Written()
    for layer in layers(records):
        written += await to_its_end(asyncio.to_thread(_foresee, foresight, layer, stored, waiting))
    return written


def _foresee(
    foresight: Foresight,
    records: Sequence[UserRecord],
    stored: Mapping[str, tuple[int, Values]],
    waiting: Mapping[str, tuple[int, int]],
) -> Written:
    """Hold users of distinct external ids against what is stored, or what those read before would leave."""
    keys = [record.external_id for record in records]
    seen = foresight.foreseen.of("users", keys)
    before = {key: row for key, (_, row) in stored.items()} | {key: row[1:] for key, row in seen.items()}
    after = {record.external_id: _held(record, before.get(record.external_id)) for record in records}
    for key in after.keys() - before.keys():
        foresight.movements.add(key, *waiting.get(key, (0, 0)))
    foresight.meet("users", {key: stored[key] for key in keys if key in stored and key not in seen}, MARK)
    foresight.foreseen.put("users", {key: (key not in stored, *values) for key, values in after.items()})
    return counted(before, after)


def _held(record: UserRecord, before: Sequence[Any] | None) -> Values:
    """Give what a row holds afterwards: what it held before stays where the record says nothing of it."""
    if not record.unsaid or before is None:
        return values_of(record, COLUMNS)
    stays = {name: value for name, value in zip(COLUMNS, before, strict=True) if name in record.unsaid}
    return values_of(record, COLUMNS, GIVEN | stays)
