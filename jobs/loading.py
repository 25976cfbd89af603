"""Loading files into tables, batch by batch: what the import jobs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.chunks import take, take_posts
from jobs.conflicts import despite_conflicts
from jobs.errors import SourceChangedError, TooManyRejectsError
from jobs.fetching.places import local_path
from jobs.files import noted
from jobs.reading_ahead import ahead
from jobs.reject_limit import RejectLimit
from jobs.requests import RefreshAuthorStats
from jobs.snapshots import noting
from jobs.sources.opening import find_files, inspect, opened, read
from jobs.storing import reject_of, store
from jobs.superseding import supersede
from jobs.sweeping import sweep
from jobs.writers.memory import Memory
from jobs.writers.registry import WRITES
from models.author_stats import mark_stale
from models.database import to_its_end
from models.post import link_authors, link_parents
from models.run_file import note_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobs.chunks import Chunk
    from jobs.context import Batch, JobContext
    from jobs.mapping import FieldMapping
    from jobs.request_values import FormatChoice
    from jobs.snapshots import Snapshot
    from jobs.sources.opening import Layout
    from jobs.sources.record import BadRecord, Entity
    from jobs.writers.bisection import Write
    from jobs.writers.writer import Writer
    from models.run_file import RunFile

LINKS_PER_BATCH = 5_000
CHUNKS_AHEAD = 2  # where records are new: one is made ready while a batch is written, and one is read


def layouts_of(
    urls: Sequence[str],
    format_: FormatChoice,
    entity: Entity | None = None,
    mapping: FieldMapping | None = None,
) -> list[Layout]:
    """Look into files, and into folders for their Users, Tags and Posts files; in the order of loading.

    Raises:
        InputError: a file is missing, or is not what it is said to be.

    """
    found = []
    for path in map(local_path, urls):
        is_folder = path.is_dir() and mapping is None  # of a folder's files no two have the same fields
        for part, file in find_files(path).items() if is_folder else ((entity or "auto", path),):
            found.append(inspect(file, format=format_, entity=part, mapping=mapping))
    order = ("users", "tags", "posts")
    return sorted(found, key=lambda layout: order.index(layout.entity))


async def load(  # noqa: PLR0913 - all that an import is made of
    context: JobContext,
    layouts: Sequence[Layout],
    site: str,
    writer: Writer,
    limit: RejectLimit = RejectLimit(),  # noqa: B008 - it is frozen
    snapshot: Snapshot | None = None,
    *,
    check: Callable[[], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """Load files one after the other, link what arrived late, refresh statistics; give the run's result.

    If they are a snapshot of the site, it is made equal to them. The `check` sees what was read before
    anything is deleted for what was not; it may raise.
    """
    result = await load_files(context, layouts, site, writer, limit, snapshot)
    await link(context, site)
    if check:
        await check()
    if snapshot:
        result |= await sweep(context, site, {layout.entity for layout in layouts}, snapshot)
    await supersede(context, site)
    if context.whole_id is None:
        context.then(RefreshAuthorStats())
    return result


async def load_files(
    context: JobContext,
    layouts: Sequence[Layout],
    site: str,
    writer: Writer,
    limit: RejectLimit = RejectLimit(),  # noqa: B008 - it is frozen
    snapshot: Snapshot | None = None,
) -> dict[str, Any]:
    """Load files, or ranges of files, from the checkpoint on; give the run's result: who wrote, and why.

    The checkpoint is the number of the file, a byte offset in it, and what tells the files from others: one
    that changed between two attempts has other bytes at that offset.

    Raises:
        SourceChangedError: a file is not the one the checkpoint was made for.
        TooManyRejectsError: more records are rejected than the limit allows.

    """
    identities = [_identity(context, layout) for layout in layouts]
    is_snapshot = snapshot is not None
    loading = Loading(context, layouts, site, writer, limit, identities, is_snapshot=is_snapshot)
    for number in range(loading.resume()["file"], len(layouts)):
        await loading.load_file(number)
    return {"writer": writer.name, "why": writer.why}


async def link(context: JobContext, site: str) -> None:
    """Link the posts of a site to the authors and parents that arrived after them.

    It runs when an import ends, so that of two imports at once the later one sees the rows of both.
    """
    while await to_its_end(despite_conflicts(partial(_link_some, context, site))):
        pass


async def _link_some(context: JobContext, site: str) -> bool:
    async with context.batch() as batch:
        authors = await link_authors(batch.session, site, LINKS_PER_BATCH)
        parents = await link_parents(batch.session, site, LINKS_PER_BATCH)
        await mark_stale(batch.session, authors)
    return bool(authors or parents)


@dataclass(frozen=True, slots=True)
class Loading:
    """One import: its files as they were when it began, their site, the writer, the limit of rejects."""

    context: JobContext
    layouts: Sequence[Layout]
    site: str
    writer: Writer
    limit: RejectLimit
    files: list[list[Any]]
    is_snapshot: bool = False

    def resume(self) -> dict[str, Any]:
        """Give the checkpoint to go on from."""
        checkpoint = self.context.checkpoint or {"files": self.files, "file": 0, "offset": 0}
        if checkpoint["files"] != self.files:
            raise SourceChangedError
        if "refused" in checkpoint:
            raise TooManyRejectsError(checkpoint["refused"])
        return checkpoint

    async def load_file(self, number: int) -> None:
        """Load the rest of one file, reading in a thread so that leases and health go on."""
        layout, checkpoint = self.layouts[number], self.resume()
        # An offset of 0 stands for the first record, which may come after a header.
        start = (checkpoint["offset"] if checkpoint["file"] == number else 0) or layout.start
        with opened(layout, self.context.bounds) as stream:
            items = read(stream, layout, start)
            file = await self._note_file(number)
            size = self.context.batch_size or self.writer.records_per_batch
            memory = Memory()
            taking = partial(take, items, size)
            if layout.entity == "posts" and self.writer.prepare:
                taking = partial(take_posts, items, size, memory)
            async with ahead(taking) as chunks:
                writer = replace(
                    self.writer,
                    insert=chunks.during(self.writer.insert, how_many=CHUNKS_AHEAD),
                    send=chunks.during(self.writer.send, how_many=CHUNKS_AHEAD),
                    compare=chunks.during(self.writer.compare),
                )
                memory.chunks = chunks
                write: Write = partial(WRITES[layout.entity], writer, memory=memory)
                write = noting(write, layout.entity) if self.is_snapshot else write
                commit = memory.following(partial(self._commit, file, write, stream.bytes_done))
                async for chunk in chunks:
                    await to_its_end(despite_conflicts(partial(commit, chunk)))
        async with self.context.batch() as batch:
            await self.limit.check(self.context, batch, at_end=True)
            self._mark_progress(batch, number + 1, 0, 0)

    async def _note_file(self, number: int) -> RunFile:
        """Write down that the file is read, before the first row says that it came from there."""
        context, layout = self.context, self.layouts[number]
        file = noted(layout, site=self.site, run_id=context.run_id, root_id=context.root_id, number=number)
        file.path = context.shown(file.path)
        async with context.batch() as batch:
            return await note_file(batch.session, file)

    async def _commit(
        self, file: RunFile, write: Write, bytes_done: Callable[[int], int], chunk: Chunk
    ) -> None:
        refused: list[BadRecord] = []
        try:
            async with self.context.batch() as batch:
                self._check_unchanged(file.number)
                refused = await store(batch, file, chunk, write)
                await self.limit.check(self.context, batch, at_end=chunk.is_last)
                before = _length_before(self.layouts[file.number])
                self._mark_progress(batch, file.number, chunk.end, bytes_done(chunk.end) - before)
        except TooManyRejectsError as error:
            await self._keep(file, refused, str(error))
            raise

    async def _keep(self, file: RunFile, refused: Sequence[BadRecord], error: str) -> None:
        """Keep the rejects of a batch that was not committed because of them, and go on no more."""
        checkpoint = self.resume()
        async with self.context.batch() as batch:
            batch.session.add_all(reject_of(file, bad) for bad in refused)
            batch.count(file.entity, records_read=len(refused), rejected=len(refused))
            batch.checkpoint = checkpoint | {"refused": error}

    def _check_unchanged(self, number: int) -> None:
        if _identity(self.context, self.layouts[number]) != self.files[number]:
            raise SourceChangedError

    def _mark_progress(self, batch: Batch, number: int, offset: int, done: int) -> None:
        batch.checkpoint = {"files": self.files, "file": number, "offset": offset}
        lengths = [_length(layout) for layout in self.layouts]
        batch.bytes_total = sum(lengths)
        batch.bytes_done = sum(lengths[:number]) + done


def _length(layout: Layout) -> int:
    """Say how many bytes on disk are to be read; of a range of rows, those of the whole file."""
    return (layout.stop or layout.size) - layout.start if _counts_bytes(layout) else layout.size


def _length_before(layout: Layout) -> int:
    """Say how many bytes on disk are passed over."""
    return layout.start if _counts_bytes(layout) else 0


def _counts_bytes(layout: Layout) -> bool:
    """Tell whether offsets are those of bytes on disk: not of unpacked ones, nor of rows."""
    return layout.compression is None and layout.format != "parquet"


def _identity(context: JobContext, layout: Layout) -> list[Any]:
    """Tell a file from any other: one that was fetched by its bytes, as another host may fetch it again."""
    if original := context.originals.get(layout.path):
        return [original.shown, layout.size, original.version]
    return [str(layout.path), layout.size, layout.path.stat().st_mtime_ns]
