"""Undoing a run page by page: what it inserted is deleted, what it changed or deleted is put back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.conflicts import despite_conflicts
from jobs.loading import link
from jobs.restoring import Restoring
from jobs.revertible import check_revertible
from models.database import to_its_end
from models.former_row import former_rows
from models.import_order import note_reverted
from models.post import Post
from models.run_rows import NOTES, forget
from models.unused_tags import brought_by, delete_unused_tags, unused_tags
from models.user import User
from models.vanished import delete_posts, delete_users
from models.written_rows import inserted_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from jobs.context import Batch, JobContext
    from jobs.writers.writer import Writer
    from models.former_row import FormerRow
    from models.seen_row import SeenRow

    Step = Callable[[Batch, int, int], Coroutine[Any, Any, int | None]]

ROWS_PER_BATCH = 1_000
NOTES_PER_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Revert:
    """One run (`root_id`: the one that was asked for) and what undoes it, from the checkpoint on.

    A step takes `(batch, after, limit)`, does the next rows and gives the last one's key, or None if there
    are no more.
    """

    context: JobContext
    root_id: UUID
    writer: Writer

    async def carry_out(self) -> str:
        """Undo the run, and give the site it was of.

        Raises:
            NotRevertibleError: it cannot be undone; nothing is changed.

        """
        if self.context.checkpoint is None:
            await _whole(self._begin)
        # Tags are there before posts get them again, and users before posts are linked to them. Users that
        # the run brought go when no post names them as its author any more.
        steps = (self._tags, self._new_posts, self._users, self._posts, self._new_users, self._new_tags)
        for number in range(self._done["step"], len(steps)):
            while await _whole(partial(self._page, number, steps[number])):
                pass
        await link(self.context, self._site)
        for note in NOTES:
            while await _whole(partial(self._forget, note)):
                pass
        return self._site

    @property
    def _done(self) -> dict[str, Any]:
        """Which site it is, which step it is at, and behind which row."""
        return self.context.checkpoint or {}

    @property
    def _site(self) -> str:
        return str(self._done["site"])

    async def _begin(self) -> None:
        """See that the run can be undone, and note that it is."""
        async with self.context.batch() as batch:
            site = await check_revertible(batch.session, self.root_id)
            await note_reverted(batch.session, self.root_id, self.context.run_id)
            batch.checkpoint = {"site": site, "step": 0, "after": 0}

    async def _page(self, number: int, step: Step) -> bool:
        done, limit = self._done, self.context.batch_size or ROWS_PER_BATCH
        async with self.context.batch() as batch:
            last = await step(batch, done["after"] if done["step"] == number else 0, limit)
            place = {"step": number + 1, "after": 0} if last is None else {"step": number, "after": last}
            batch.checkpoint = done | place
        return last is not None

    async def _tags(self, batch: Batch, after: int, limit: int) -> int | None:
        former = await former_rows(batch.session, self.root_id, "tags", after, limit)
        return await _put_back(former, Restoring(batch, self.writer, self._site).tags)

    async def _users(self, batch: Batch, after: int, limit: int) -> int | None:
        former = await former_rows(batch.session, self.root_id, "users", after, limit)
        return await _put_back(former, Restoring(batch, self.writer, self._site).users)

    async def _posts(self, batch: Batch, after: int, limit: int) -> int | None:
        former = await former_rows(batch.session, self.root_id, "posts", after, limit)
        return await _put_back(former, Restoring(batch, self.writer, self._site).posts)

    async def _new_posts(self, batch: Batch, after: int, limit: int) -> int | None:
        page = await inserted_rows(batch.session, self.root_id, Post, after, limit)
        if not page:
            return None
        batch.count("posts", deleted=await delete_posts(batch.session, None, page))
        return page[-1]

    async def _new_users(self, batch: Batch, after: int, limit: int) -> int | None:
        page = await inserted_rows(batch.session, self.root_id, User, after, limit)
        if not page:
            return None
        batch.count("users", deleted=await delete_users(batch.session, None, page, named=False))
        return page[-1]

    async def _new_tags(self, batch: Batch, after: int, limit: int) -> int | None:
        page = await unused_tags(batch.session, after, limit, brought_by(self.root_id))
        if not page:
            return None
        batch.count("tags", deleted=await delete_unused_tags(batch.session, None, page))
        return page[-1]

    async def _forget(self, note: type[FormerRow | SeenRow]) -> bool:
        async with self.context.batch() as batch:
            return await forget(batch.session, note, self.root_id, NOTES_PER_BATCH)


async def _put_back(
    former: list[FormerRow], restore: Callable[[list[FormerRow]], Coroutine[Any, Any, None]]
) -> int | None:
    if not former:
        return None
    await restore(former)
    return former[-1].row_id


async def _whole(step: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return await to_its_end(despite_conflicts(step))
