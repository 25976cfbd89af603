"""Holding what a run says of itself against its files, and both against the tables; reading only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import NoResultFound

from jobs.chunks import take
from jobs.digests import digest, total, values_of
from jobs.errors import InputError
from jobs.files import layout_of
from jobs.reading_ahead import ahead
from jobs.sources.record import PostRecord, TagRecord
from jobs.verifying.findings import Findings
from jobs.verifying.judging import judged
from jobs.verifying.reading import items_of, state_of
from jobs.verifying.stored import rows_of
from models.family import parts_of
from models.post import Post
from models.reject import count_replayed, reject_positions
from models.run import Run, State
from models.run_file import files_read_by
from models.site_rows import count_rows_from
from models.tag_names import TagNames
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.chunks import Chunk
    from jobs.sources.record import Record
    from jobs.verifying.stored import Stored
    from models.run_file import RunFile

RECORDS_AT_ONCE = 2_000
OF_A_SITE: dict[str, type[User | Post]] = {"users": User, "posts": Post}


async def verify_run(session: AsyncSession, run_id: UUID) -> dict[str, Any]:
    """Derive the receipt of a run anew from its files and the tables, and say where they contradict it.

    Files that are gone or changed are not read; then only the receipt itself is checked, and how many rows
    name them is said.

    Raises:
        InputError: there is no such run, it did not succeed, or it loaded nothing.

    """
    try:
        run = await session.get_one(Run, run_id)
    except NoResultFound:
        raise InputError(f"no run {run_id}; it may have been pruned") from None
    await run.awaitable_attrs.receipts
    runs = [run, *await parts_of(session, run_id)]
    if unfinished := [one for one in runs if one.state != State.SUCCEEDED]:
        state = unfinished[0].state
        raise InputError(f"run {run_id} is {state}; only what succeeded can be verified")
    receipts = sorted((receipt for one in runs for receipt in one.receipts), key=lambda one: one.entity)
    if not receipts:
        raise InputError(f"run {run_id} ({run.job}) loaded nothing that could be verified")
    requests = {one.id: one.request for one in runs}
    verification = Verification(session, await files_read_by(session, run_id), requests)
    for entity, of_entity in groupby(receipts, key=lambda one: one.entity):
        verification.of(entity).add_receipts(of_entity)
    await verification.look()
    return {"run_id": str(run_id), "job": run.job, **verification.document()}


@dataclass(slots=True)
class Verification:
    """One verification: the run's files, and what is found of each entity."""

    session: AsyncSession
    files: Sequence[RunFile]
    requests: dict[UUID, dict[str, Any]]
    """What the run and its parts were asked for."""
    findings: dict[str, Findings] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    """What is left of each file, by its key."""
    names: TagNames = field(init=False)
    own: dict[int, RunFile] = field(init=False)

    def __post_init__(self) -> None:
        self.names = TagNames(self.session)
        self.own = {file.id: file for file in self.files}

    def of(self, entity: str) -> Findings:
        """Give what is found of an entity."""
        return self.findings.setdefault(entity, Findings(entity))

    async def look(self) -> None:
        """Read again what is left of the files, and count the rows that name them."""
        naming = Counter[str]()
        for file in self.files:
            self.states[file.id] = state_of(file)
            if self.states[file.id] == "unchanged":
                naming[file.entity] += await self._read(file, self.of(file.entity))
        for entity, findings in self.findings.items():
            sources = [file for file in self.files if entity in _entities_of(file)]
            findings.is_read_again = bool(sources) and all(
                self.states[file.id] == "unchanged" for file in sources
            )
            files = [file for file in self.files if file.entity == entity]
            await self._count_naming(findings, files, naming[entity])
            if findings.is_read_again:
                findings.check_files()

    async def _read(self, file: RunFile, findings: Findings) -> int:
        """Read one file again, reading in a thread; count the records whose rows name them."""
        naming = begin = 0
        with items_of(file, self.requests[file.run_id]) as items:
            async with ahead(partial(take, items, RECORDS_AT_ONCE)) as chunks:
                async for chunk in chunks:
                    naming += await self._judge(file, findings, chunk, begin)
                    begin = chunk.end
        return naming

    async def _judge(self, file: RunFile, findings: Findings, chunk: Chunk, begin: int) -> int:
        """Judge the rows of a chunk's records, without those that were rejected when they were loaded."""
        kept = await reject_positions(self.session, file.run_id, file.number, begin, chunk.end)
        findings.read += len(chunk)
        findings.rejected += len(kept)
        for bad in chunk.refused:
            if bad.offset not in kept:
                findings.note(f"{file.path} at byte {bad.offset}: {bad.reason}, and there is no such reject")
        left_out = [record for record in chunk.records if record.offset in kept] if kept else []
        loaded = [record for record in chunk.records if record.offset not in kept] if kept else chunk.records
        findings.digest += chunk.digest - total(left_out)
        self._count_carried(loaded)
        keys = {_key_of(record) for record in loaded}
        rows = await rows_of(self.session, self.names, layout_of(file).entity, file.site, keys)
        return sum([self._note(file, findings, record, rows.get(_key_of(record))) for record in loaded])

    def _count_carried(self, loaded: Sequence[Record]) -> None:
        """Count the authors that posts carried, as users; their rows are not looked at."""
        carried = [post.author for post in loaded if isinstance(post, PostRecord) and post.author]
        if carried:
            self.of("users").read += len(carried)
            self.of("users").digest += total(carried)

    def _note(self, file: RunFile, findings: Findings, record: Record, row: Stored | None) -> bool:
        """Note what became of a record's row; tell whether the row names the record."""
        verdict = judged(row, digest(*values_of(record)), file, record.offset, self.own)
        if verdict == "wrong":
            place = f"{file.path} at byte {record.offset}"
            findings.note(f"{place}: the row of {_key_of(record)} names it, and says something else")
        else:
            findings.verdicts[verdict] += 1
        return row is not None and (row.file_id, row.position) == (file.id, record.offset)

    async def _count_naming(self, findings: Findings, files: Sequence[RunFile], found: int) -> None:
        model = OF_A_SITE.get(findings.entity)
        if model is None or not files:
            return
        findings.naming = await count_rows_from(
            self.session, model, files[0].site, [file.id for file in files]
        )
        replayed = await count_replayed(self.session, {file.run_id for file in files}, findings.entity)
        # Rows of rejects that were loaded after all may name them, or have been written anew since.
        if findings.is_read_again and not found <= findings.naming <= found + replayed:
            findings.check("rows that name these files, and records that they name", findings.naming, found)

    def document(self) -> dict[str, Any]:
        """Describe what was found."""
        found = self.findings
        return {
            "sound": not any(one.wrong for one in found.values()),
            "wrong": [line for one in found.values() for line in one.wrong],
            "files": [{"path": file.path, "is": self.states[file.id]} for file in self.files],
            "entities": {entity: one.document() for entity, one in found.items()},
        }


def _entities_of(file: RunFile) -> set[str]:
    """Name what a file holds: with a mapping, posts may carry their authors."""
    carries = file.entity == "posts" and "mapping" in file.layout
    return {file.entity, "users"} if carries else {file.entity}


def _key_of(record: Record) -> str:
    return record.name if isinstance(record, TagRecord) else record.external_id  # type: ignore[attr-defined]
