"""What one attempt at a run may do: read, and write in batches that commit whole or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from jobs.errors import LeaseLostError, StoppingError
from models.claim import is_held, update_held
from models.clock import now
from models.dialect import name_transaction
from models.receipt import COUNTS, Receipt, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from jobs.fetching.fetcher import Fetcher
    from jobs.fetching.original import Original
    from jobs.requests import Request
    from jobs.sources.bounds import Bounds
    from models.database import Database


log = structlog.get_logger("headrace.jobs")


@dataclass(slots=True)
class Batch:
    """The unit of commit: what is written through `session`, and what the ledger is to say of it."""

    session: AsyncSession
    checkpoint: dict[str, Any] | None = None
    """Where the next batch starts; None leaves the run's checkpoint as it is."""
    bytes_done: int | None = None
    bytes_total: int | None = None
    receipts: dict[str, Counter[str]] = field(default_factory=dict)
    unknown_fields: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, entity: str, **counts: int) -> None:
        """Add to the receipt of an entity: records_read, inserted, updated, ..., and the digest."""
        self.receipts.setdefault(entity, Counter()).update(counts)


@dataclass(slots=True)
class JobContext:
    """One attempt at one run; `attempt` is the fencing token, `checkpoint` what was committed last."""

    run_id: UUID
    attempt: int
    database: Database
    batch_size: int | None = None
    """Records in one transaction; None leaves it to the writer."""
    vanish_percent: float = 25.0
    """How much of a site a snapshot may lack before it is taken for one that is cut off."""
    lease_seconds: float = 15.0
    """How long a committed batch, as a sign of life, lets the attempt keep its run."""
    checkpoint: dict[str, Any] | None = None
    whole_id: UUID | None = None
    """The run that was split, if this one is a part of it."""
    follow_ups: list[Request] = field(default_factory=list)
    counted: bool = False
    """Whether this attempt has added to the run's receipts."""
    stages: list[Sequence[Request]] = field(default_factory=list)
    after_parts: Request | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    application: str = "headrace"
    """What the database's administrator sees of this attempt while it reads or writes."""
    fetcher: Fetcher | None = None
    """Brings sources that lie elsewhere to this host."""
    originals: dict[Path, Original] = field(default_factory=dict)
    """Where the files came from that it has brought."""
    spooled: bool = False
    """Whether it may have left something in the spool."""

    @property
    def root_id(self) -> UUID:
        """The run that was asked for: this one, or the one that it is a part of."""
        return self.whole_id or self.run_id

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """Open a session for the current task and one transaction, fenced at both ends.

        The first statement makes the transaction real and stops an attempt that lost its run, or whose last
        checkpoint the database does not have; the last writes checkpoint, progress and receipt, and matches
        no row if the run was lost meanwhile.

        Raises:
            LeaseLostError: the run is no longer this attempt's as it left it; nothing of this batch is kept.
            StoppingError: the worker is shutting down; the run goes back and continues here.

        """
        if self.stopping.is_set():
            raise StoppingError
        async with self.database.writing(tag=self.application) as session, session.begin():
            if not await is_held(session, self.run_id, self.attempt, self.application, self.checkpoint):
                raise LeaseLostError
            batch = Batch(session)
            yield batch
            await session.flush()
            await self._record(batch)
        log.debug("batch.committed", receipts=batch.receipts)
        self.counted |= bool(batch.receipts)
        if batch.checkpoint is not None:
            self.checkpoint = batch.checkpoint

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a read-only session that sees one snapshot, with all that was committed before.

        The first attempt reads from a replica that has followed so far. A replica can break off a long read;
        what made an attempt fail shall not meet the next one, on whichever worker.
        """
        name = self.application
        is_first = self.attempt == 1
        opened = (
            self.database.reporting(fresh=True, tag=name) if is_first else self.database.reading(tag=name)
        )
        async with opened as session:
            await name_transaction(session, name)
            yield session

    @property
    def bounds(self) -> Bounds | None:
        """How much a compressed file may unpack to; None leaves it to the reader."""
        return self.fetcher.limits.unpacked if self.fetcher else None

    def shown(self, text: str) -> str:
        """Give a text with the sources in it named as they were asked for, not by where they were brought."""
        for path, original in self.originals.items():
            text = text.replace(str(path), original.shown)
        return text

    def then(self, request: Request) -> None:
        """Ask for another job; the run is made in the transaction that finishes this one, or not at all."""
        self.follow_ups.append(request)

    def split(self, *stages: Sequence[Request], then: Request | None = None) -> None:
        """Let the parts of each stage do this run's work, side by side, one stage after the other.

        A stage's runs are made in the transaction that finishes this one, or the last of the stage before;
        `then` starts once, after the last stage. A part that fails holds back what follows until it was
        retried.
        """
        self.stages.extend(stages)
        self.after_parts = then

    async def _record(self, batch: Batch) -> None:
        for entity, counts in batch.receipts.items():
            await self._add_to_receipt(batch, entity, counts)
        progress = {
            "checkpoint": batch.checkpoint,
            "bytes_done": batch.bytes_done,
            "bytes_total": batch.bytes_total,
        }
        made = {name: value for name, value in progress.items() if value is not None}
        values = {"crashes": 0, "lease_until": now(self.lease_seconds)} | made
        if not await update_held(batch.session, self.run_id, self.attempt, values):
            raise LeaseLostError

    async def _add_to_receipt(self, batch: Batch, entity: str, counts: Counter[str]) -> None:
        receipt = await batch.session.get(Receipt, (self.run_id, entity))
        if receipt is None:
            receipt = Receipt(
                run_id=self.run_id, entity=entity, **dict.fromkeys((*COUNTS, "digest"), 0), unknown_fields={}
            )
            batch.session.add(receipt)
        for name, more in counts.items():
            setattr(receipt, name, signed(getattr(receipt, name) + more))
        if unknown := batch.unknown_fields.get(entity):
            receipt.unknown_fields = dict(Counter(receipt.unknown_fields) + unknown)
        await batch.session.flush()
