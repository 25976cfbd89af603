"""Loading the rejects of a run again, batch by batch."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from jobs.chunks import BATCH_BYTES, Chunk
from jobs.digests import total
from jobs.errors import InputError
from jobs.files import LISTED
from jobs.rereading import former_file, read_again
from jobs.sources.record import BadRecord
from jobs.storing import put
from jobs.writers.registry import WRITES
from models.newness import newer_rows
from models.post import Post
from models.reject import Place, rejects_of, take_rejects
from models.run import Run
from models.run_file import file_of, hold_file
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.context import Batch, JobContext
    from jobs.mapping import FieldMapping
    from jobs.sources.record import Item, Record
    from jobs.writers.writer import Writer
    from models.reject import Reject
    from models.run_file import RunFile

    Placed = tuple[Reject, Place]

REJECTS_AT_ONCE = 1_000  # up to 64 KiB of each are kept
KEYED: Mapping[str, type[User | Post]] = {"users": User, "posts": Post}


@dataclass(frozen=True, slots=True)
class Page:
    """Rejects of one file that follow one another, and what they are when they are read again."""

    file: RunFile
    rejects: Sequence[Reject]
    items: Sequence[Item]
    last: Place


@dataclass(frozen=True, slots=True)
class Replaying:
    """One replay: the run whose rejects are loaded again, those of one rule or all, the writer, a mapping."""

    context: JobContext
    run_id: UUID
    rule: str | None
    writer: Writer
    mapping: FieldMapping | None = None

    async def next_batch(self) -> bool:
        """Load the next rejects that are open, in file order; False if there is none left."""
        page = await self._next_page()
        if page:
            async with self.context.batch() as batch:
                await self._store(batch, page)
                batch.checkpoint = asdict(page.last)
        return page is not None

    async def _next_page(self) -> Page | None:
        checkpoint = self.context.checkpoint
        after = Place(**checkpoint) if checkpoint else None
        async with self.context.reading() as session:
            limit = min(self.context.batch_size or REJECTS_AT_ONCE, REJECTS_AT_ONCE)
            found = await rejects_of(session, self.run_id, limit, after, rule=self.rule, replayed=False)
            if not found:
                return None
            first, _ = found[0]
            run = await session.get_one(Run, first.run_id)
            file = await file_of(session, run.id, first.file_number)
        rejects, places = zip(*_together(found), strict=True)
        file = file or former_file(run, first)
        return await asyncio.to_thread(_page, file, run, rejects, places[-1], self.mapping)

    async def _store(self, batch: Batch, page: Page) -> None:
        """Write what can be loaded now, in the transaction that marks it; the rest stays open.

        Raises:
            InputError: the import of these records was undone.

        """
        if (
            undone_by := await hold_file(batch.session, page.rejects[0].run_id, page.last.file_number)
        ) is not None:
            raise InputError(f"run {self.run_id} was undone by run {undone_by}: import its files again")
        taken = await take_rejects(batch.session, [reject.id for reject in page.rejects])
        pairs = zip(page.rejects, page.items, strict=True)
        items = [item for reject, item in pairs if reject.id in taken]
        refused = [item for item in items if isinstance(item, BadRecord)]
        sound = [item for item in items if not isinstance(item, BadRecord)]
        records = await _not_outdated(batch.session, page.file, sound)
        chunk = Chunk(records, refused, page.last.position, total(records))
        write = partial(WRITES[page.file.entity], self.writer)  # type: ignore[index]
        bad = await put(batch, page.file, chunk, write, skipped=len(sound) - len(records))
        self._settle(taken.values(), {each.offset: each for each in bad})

    def _settle(self, taken: Iterable[Reject], bad: Mapping[int, BadRecord]) -> None:
        for reject in taken:
            if still := bad.get(reject.position):
                reject.rule, reject.reason = still.rule, still.reason
            else:
                reject.replayed_by = self.context.run_id


def _together(found: Sequence[Placed]) -> Iterable[Placed]:
    """Give the first rejects of one file whose records are no more than a batch holds, or the first alone."""
    first, *others = found
    of_file = (first[0].run_id, first[0].file_number)
    size_bytes = 0

    def fits(placed: Placed) -> bool:
        nonlocal size_bytes
        reject, _ = placed
        size_bytes += max((reject.next_position or 0) - reject.position, len(reject.raw))
        return (reject.run_id, reject.file_number) == of_file and size_bytes <= BATCH_BYTES

    return [first, *takewhile(fits, others)]


def _page(
    file: RunFile, run: Run, rejects: Sequence[Reject], last: Place, mapping: FieldMapping | None
) -> Page:
    if mapping and (problem := mapping.problem(file.entity)):  # type: ignore[arg-type]
        raise InputError(f"{file.path}: its {file.entity} cannot be read by the mapping: {problem}")
    given = run.request[file.entity] if file.format == LISTED else ()
    return Page(file, rejects, read_again(file, rejects, given, mapping), last)


async def _not_outdated(session: AsyncSession, file: RunFile, records: Sequence[Record]) -> Sequence[Record]:
    """Leave out records whose rows are newer: written from behind them, by a later run, or by hand."""
    model = KEYED.get(file.entity)
    if model is None or not records:
        return records
    keys = {record.external_id for record in records}  # type: ignore[attr-defined]
    newer = await newer_rows(session, model, file, keys)
    return [record for record in records if record.offset >= newer.get(record.external_id, 0)]  # type: ignore[attr-defined]
