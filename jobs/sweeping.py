"""Making a site equal to the snapshot that was just loaded: what becomes of rows that it does not have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.conflicts import despite_conflicts
from jobs.errors import InputError
from jobs.snapshots import MODELS
from models.database import to_its_end
from models.import_order import superseded_by, written_by
from models.run_rows import forget
from models.seen_row import SeenRow
from models.unused_tags import delete_unused_tags, not_in_snapshot, unused_tags
from models.vanished import (
    Dump,
    count_vanished,
    delete_posts,
    delete_users,
    mark_missing,
    vanished_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

    from jobs.context import Batch, JobContext
    from jobs.snapshots import Snapshot
    from models.vanished import Counted

ROWS_PER_BATCH = 1_000
NOTES_PER_BATCH = 20_000
# Posts go before the users who wrote them, and tags when the posts that had them are gone.
ORDER = ("posts", "users", "tags")


class VanishedError(InputError):
    """The files lack too much of the site for what they are taken for: all of it."""


def refuse_cut_off(
    site: str, counted: Mapping[str, Counted], new: Mapping[str, int], most_percent: float
) -> None:
    """See that the files have most of what the site had; `new` are the rows that they have brought.

    Raises:
        VanishedError: they lack more, or have no record at all of an entity.

    """
    wrong = []
    for entity, (seen, vanished) in counted.items():
        before = seen + vanished - new.get(entity, 0)
        if vanished and (not seen or vanished * 100 > before * most_percent):
            wrong.append(f"{vanished:,} of {before:,} {entity}")
    if wrong:
        raise VanishedError(
            f"the files lack {' and '.join(wrong)} of {site}; beyond {most_percent:g} % they are taken for "
            "cut off: nothing was deleted or marked; look at the files, and import them with --force if they "
            "are whole"
        )


async def sweep(
    context: JobContext, site: str, entities: Collection[str], wanted: Snapshot
) -> dict[str, Any]:
    """Delete or mark the rows of a site that the snapshot lacks; say how many of each entity vanished.

    It goes on from the checkpoint, in which it stands beside what the import keeps there.

    Raises:
        VanishedError: there are too many of them; nothing is changed.

    """
    return await _Sweep(context, site, entities, wanted).carry_out()


@dataclass(frozen=True, slots=True)
class _Sweep:
    context: JobContext
    site: str
    entities: Collection[str]
    wanted: Snapshot

    async def carry_out(self) -> dict[str, Any]:
        if not self._done:
            await self._whole(self._count)
        if self.wanted.missing != "keep" and not self._done.get("over"):
            for entity in self._ahead():
                while await self._whole(partial(self._page, entity)):
                    pass
        while await self._whole(self._forget):
            pass
        return {"missing": self.wanted.missing, "vanished": self._done["vanished"]}

    @property
    def _done(self) -> dict[str, Any]:
        """How far it has come: what was counted, the entity and the key it is at, whether it is over."""
        done: dict[str, Any] = (self.context.checkpoint or {}).get("sweep", {})
        return done

    def _note(self, batch: Batch, **more: Any) -> None:
        batch.checkpoint = (self.context.checkpoint or {}) | {"sweep": self._done | more}

    @staticmethod
    async def _whole(step: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return await to_its_end(despite_conflicts(step))

    @property
    def _dump(self) -> Dump:
        return Dump(self.site, self.context.root_id, self.wanted.missing == "mark")

    def _ahead(self) -> Sequence[str]:
        """Name the entities that are not swept yet."""
        swept = {"users": {"users"}, "posts": {"posts"}, "tags": {"tags", "posts"}}
        ours = [entity for entity in ORDER if swept[entity] & set(self.entities)]
        if self.wanted.missing == "mark":
            ours = [entity for entity in ours if entity in MODELS]
        return ours[ours.index(self._done["entity"]) :] if "entity" in self._done else ours

    async def _count(self) -> None:
        async with self.context.batch() as batch:
            if later := await superseded_by(batch.session, self.context.root_id):
                raise InputError(f"run {later} has written to {self.site} since: import the files again")
            counted = {
                entity: await count_vanished(batch.session, self._dump, MODELS[entity])
                for entity in ORDER
                if entity in MODELS and entity in self.entities
            }
            if self.wanted.missing != "keep" and not self.wanted.force:
                written = await written_by(batch.session, self.context.root_id)
                new = {entity: counts["inserted"] for entity, counts in written.items()}
                refuse_cut_off(self.site, counted, new, self.context.vanish_percent)
            self._note(batch, vanished={entity: gone for entity, (_, gone) in counted.items()})

    async def _page(self, entity: str) -> bool:
        """Delete or mark the next rows of an entity; False if there are none."""
        after = self._done.get("after", 0) if self._done.get("entity") == entity else 0
        limit = self.context.batch_size or ROWS_PER_BATCH
        async with self.context.batch() as batch:
            step = self._tags if entity == "tags" else partial(self._rows, entity)
            page = await step(batch, after, limit)
            if page:
                self._note(batch, entity=entity, after=page[-1])
        return bool(page)

    async def _rows(self, entity: str, batch: Batch, after: int, limit: int) -> Sequence[int]:
        session, root_id = batch.session, self.context.root_id
        page = await vanished_rows(session, self._dump, MODELS[entity], after, limit)
        if not page:
            return page
        if self.wanted.missing == "mark":
            await mark_missing(session, root_id, MODELS[entity], page)
        elif entity == "posts":
            batch.count(entity, deleted=await delete_posts(session, root_id, page))
        else:
            # What the files say of posts stands as they say it.
            named = "posts" not in self.entities
            batch.count(entity, deleted=await delete_users(session, root_id, page, named=named))
        return page

    async def _tags(self, batch: Batch, after: int, limit: int) -> Sequence[int]:
        which = not_in_snapshot(self.site, self.context.root_id, self.entities)
        page = await unused_tags(batch.session, after, limit, *which)
        if page:
            deleted = await delete_unused_tags(batch.session, self.context.root_id, page)
            batch.count("tags", deleted=deleted)
        return page

    async def _forget(self) -> bool:
        """Delete the next notes of what was seen; from then on no row can be told to have vanished."""
        async with self.context.batch() as batch:
            self._note(batch, over=True)
            return await forget(batch.session, SeenRow, self.context.root_id, NOTES_PER_BATCH)
