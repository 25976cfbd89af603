"""What of a site the files do not have, and what a snapshot would do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jobs.snapshots import MODELS
from jobs.sweeping import VanishedError, refuse_cut_off
from models.database import to_its_end
from models.site_rows import count_rows, scored_posts
from models.vanished import Counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.planning.foresight import Foresight
    from jobs.planning.limits import Limits
    from jobs.planning.tally import Tally


async def look_for_vanished(foresight: Foresight, tallies: Mapping[str, Tally], limits: Limits) -> str | None:
    """Count the rows of the site that the files do not have; say why a snapshot that lacks them would fail.

    Posts that are deleted count for nobody any more.
    """
    counted = {}
    for entity, model in MODELS.items():
        if tally := tallies.get(entity):
            known, marked = foresight.met[entity], foresight.met_marked[entity]
            there = await count_rows(foresight.session, model, foresight.site, unmarked=limits.marks)
            tally.vanished = there - (known - marked if limits.marks else known)
            counted[entity] = Counted(known + tally.counts["inserted"], tally.vanished)
    refusal = _refusal(foresight.site, counted, tallies, limits)
    if limits.deletes and not refusal:
        for entity, (_, vanished) in counted.items():
            tallies[entity].counts["deleted"] = vanished
        if "posts" in counted and counted["posts"].vanished:
            await _take_back(foresight)
    return refusal


def _refusal(
    site: str, counted: Mapping[str, Counted], tallies: Mapping[str, Tally], limits: Limits
) -> str | None:
    if not (limits.deletes or limits.marks) or (limits.snapshot and limits.snapshot.force):
        return None
    new = {entity: tallies[entity].counts["inserted"] for entity in counted}
    try:
        refuse_cut_off(site, counted, new, limits.vanish_percent)
    except VanishedError as error:
        return str(error)
    return None


async def _take_back(foresight: Foresight) -> None:
    async for rows in scored_posts(foresight.session, foresight.site):
        keys = [key for key, *_ in rows]
        seen = await to_its_end(asyncio.to_thread(foresight.foreseen.of, "posts", keys))
        for key, author, score in rows:
            if key not in seen:
                foresight.movements.add(author, -1, -score)
