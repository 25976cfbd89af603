"""The arq worker of one queue: arq's messages and poll, with the ledger's claims behind them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import arq
import structlog
from arq.constants import health_check_key_suffix, job_key_prefix
from sqlalchemy.exc import SQLAlchemyError

from jobs.bell import arq_queue, ring
from jobs.registry import JOBS
from models.due import known_runs
from worker.adoption import adopt, run_id_of
from worker.arq_redis import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from uuid import UUID

    from arq.typing import WorkerCoroutine

    from models.claim import Claim
    from worker.execution import Executor

log = structlog.get_logger("headrace.worker")

POLL_SECONDS = 0.5  # the bell wakes us earlier; plain arq rings none
DATABASE_AWAY_SECONDS = 2.0


class Worker(arq.Worker):
    """An arq worker that takes messages by claiming their runs, as many at once as it has room for.

    From then on the ledger has the run: its lease ends with the worker, and the dispatcher rings for runs
    that Redis forgot. So a message is deleted as soon as its run is claimed, or cannot be claimed now;
    arq's in-progress, retry and result keys are not used, and Redis may go away while a job works.
    """

    def __init__(
        self, executor: Executor, *, queue: str, concurrency: int, ended: Callable[[], None]
    ) -> None:
        resources = executor.resources
        key = arq_queue(resources.settings.queue, queue)
        super().__init__(
            [arq.func(cast("WorkerCoroutine", _unused), name=job.name) for job in JOBS],
            queue_name=key,
            redis_pool=resources.redis,
            handle_signals=False,
            max_jobs=concurrency,
            queue_read_limit=concurrency,
            poll_delay=POLL_SECONDS,
            health_check_interval=int(resources.settings.lease_seconds),
            health_check_key=f"{key}:{executor.worker}{health_check_key_suffix}",
            job_serializer=to_json,
            job_deserializer=from_json,
        )
        self.queue = queue
        self.executor = executor
        self._wanted = True  # a bell has rung, or a run has made room
        self._polled_at = 0.0
        self._rung: list[bytes] = []
        self._occupied: set[UUID] = set()
        self._tell_ended = ended
        self._database_away_until = 0.0

    @property
    def has_room(self) -> bool:
        """Whether another run can start."""
        return self.job_counter < self.max_jobs

    @property
    def is_due(self) -> bool:
        """Whether there may be something to do."""
        return self._wanted or self.loop.time() - self._polled_at >= POLL_SECONDS

    async def poll(self) -> None:
        """Do what arq does between two sleeps: read the queue, start what there is room for, show health.

        An idle worker first takes the runs that it was rung for, without a look into the queue.
        """
        self._wanted, self._polled_at = False, self.loop.time()
        rung, self._rung = self._rung, []
        if rung and not self.job_counter:
            await self.start_jobs(rung)
        await self._poll_iteration()

    def ring(self, name: bytes) -> None:
        """Hear the bell of a run."""
        self._wanted = True
        self._rung.append(name)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Claim the runs of the first messages that there is room for, start them, delete the messages."""
        names = job_ids[: self.max_jobs - self.job_counter]
        if not names or self.loop.time() < self._database_away_until:
            return
        try:
            await self._take({run_id_of(name): name for name in names})
        except (OSError, SQLAlchemyError) as error:
            # Nothing has changed; once the database is back, the messages are good again.
            log.error("database.away", error=type(error).__name__)  # noqa: TRY400 - no traceback
            self._database_away_until = self.loop.time() + DATABASE_AWAY_SECONDS

    async def _take(self, names: dict[UUID, bytes]) -> None:
        rest = names.keys() - await self._take_free(names)
        await asyncio.sleep(0)  # the jobs begin before what else there is to do
        strangers = [names[run_id] for run_id in (rest - await self._take_limited(rest) if rest else ())]
        database = self.executor.resources.database
        adopted = await adopt(database, self.pool, strangers) if strangers else []
        await self._forget(list(names.values()), strangers)
        if adopted:
            await ring(self.pool, self.executor.resources.settings.queue, adopted)

    async def _take_free(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Start the runs that no limit concerns; return which."""
        runs = await self.executor.claim_free(run_ids)
        for run in runs:
            self._start(run)
        return {run.id for run in runs}

    async def _take_limited(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Start those of the others that may; return all that the ledger knows."""
        async with self.executor.resources.database.writing.begin() as session:
            runs = await self.executor.claim(session, run_ids)
            known = await known_runs(session, run_ids)
        for run in runs:
            self._start(run)
        return known

    def _start(self, run: Claim) -> None:
        self.job_counter += 1
        self._occupied.add(run.id)
        task = self.tasks[str(run.id)] = self.loop.create_task(self.perform(run))
        task.add_done_callback(lambda _: None if self.job_counter else self._tell_ended())

    async def perform(self, run: Claim) -> None:
        """Carry out a run; whatever happens to it, the worker goes on."""
        try:
            await self.executor.perform(run, worked=partial(self._make_room, run.id))
            self.jobs_complete += 1
        except asyncio.CancelledError:
            self.jobs_retried += 1  # told twice to stop; its lease runs out
        except (OSError, SQLAlchemyError) as error:
            self.jobs_failed += 1
            # The run is as the ledger last knew it; its lease runs out, and it is taken back.
            log.error("database.away", run_id=str(run.id), error=type(error).__name__)  # noqa: TRY400
        except Exception:
            self.jobs_failed += 1
            log.exception("worker.bug", run_id=str(run.id))
        finally:
            self._make_room(run.id)

    def _make_room(self, run_id: UUID) -> None:
        """Let the next run start while the end of this one is being written down."""
        if run_id in self._occupied:
            self._occupied.remove(run_id)
            self.job_counter -= 1
            self._wanted = True
            self._tell_ended()

    async def _forget(self, names: Sequence[bytes], strangers: Sequence[bytes]) -> None:
        """Delete ids from the queue, and the messages of those that were not ours."""
        async with self.pool.pipeline(transaction=False) as pipe:
            pipe.zrem(self.queue_name, *names)
            if strangers:
                pipe.delete(*(job_key_prefix.encode() + name for name in strangers))
            await pipe.execute()

    def interrupt(self) -> None:
        """Cancel the running jobs; they write down where they are."""
        for task in self.tasks.values():
            task.cancel()

    async def close(self) -> None:
        """Leave Redis as if we had not been there; connections belong to the resources."""
        await self.pool.delete(self.health_check_key)


async def _unused(_ctx: dict[Any, Any], *_args: Any, **_fields: Any) -> None:
    """Stand in arq's table of functions, which must not be empty; runs are started from the ledger."""
