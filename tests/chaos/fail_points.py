"""The boundaries at which a process is caught, by the function of the product that stands at each.

Nothing in the product knows of them: a process of the tests wraps the function and stands still there.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession


class Moment(Enum):
    """When a process is caught: around the call, or when the transaction of the call has committed."""

    BEFORE = "before"
    AFTER = "after"
    COMMITTED = "committed"


class Scene(Enum):
    """Who is caught, and at what."""

    IMPORT = "a worker that imports"
    ASK = "a command that asks for an import"
    SNAPSHOT = "a worker that makes a site equal to a dump"
    TAKE_BACK = "a worker that finds the import of a dead one, forgotten by Redis"


class Meanwhile(Enum):
    """How far the others get while the process that holds the boundary is paused beyond its lease."""

    FINISHED = "they end everything"
    TAKEN_OVER = "they begin another attempt, and wait for the rows that the paused process has locked"
    LOCKED_OUT = "nothing: the paused process has locked the run, and may still commit"


@dataclass(frozen=True, slots=True)
class FailPoint:
    """One boundary: `function` is `module:name`, `call` says which call of it is the one."""

    name: str
    function: str
    moment: Moment
    call: int = 1
    scene: Scene = Scene.IMPORT
    meanwhile: Meanwhile = Meanwhile.FINISHED


BATCH_BEGUN = FailPoint("batch-begun", "jobs.storing:write_or_bisect", Moment.BEFORE, call=5)
MID_BATCH = FailPoint(
    "mid-batch",
    "jobs.storing:write_or_bisect",
    Moment.AFTER,
    call=5,
    meanwhile=Meanwhile.TAKEN_OVER,
)
COMMITTED_NOT_SEEN = FailPoint(
    "committed-not-seen", "jobs.context:JobContext._record", Moment.COMMITTED, call=10
)

# The sample of the matrix has two batches of users, one of tags and twelve of posts; with the beginnings and
# the ends of files, call 5 of the writer and call 10 of the record are in the middle of the posts.
FAIL_POINTS = (
    FailPoint(
        "claim-not-committed",
        "worker.execution:Executor.claim",
        Moment.AFTER,
        meanwhile=Meanwhile.LOCKED_OUT,
    ),
    FailPoint("claimed-not-acknowledged", "worker.arq_worker:Worker._forget", Moment.BEFORE),
    FailPoint("claimed", "worker.execution:Executor.perform", Moment.BEFORE),
    BATCH_BEGUN,
    MID_BATCH,
    FailPoint(
        "before-commit",
        "jobs.context:JobContext._record",
        Moment.AFTER,
        call=9,
        meanwhile=Meanwhile.LOCKED_OUT,
    ),
    COMMITTED_NOT_SEEN,
    FailPoint("before-finish", "worker.execution:Executor._finish", Moment.BEFORE),
    FailPoint("finished-not-rung", "worker.finishing:Finisher._ring", Moment.BEFORE),
    FailPoint("asked-not-rung", "jobs.client:ring", Moment.BEFORE, scene=Scene.ASK),
    FailPoint("taken-back-not-rung", "worker.dispatcher:ring", Moment.BEFORE, scene=Scene.TAKE_BACK),
    FailPoint("follow-up-not-begun", "worker.execution:Executor.claim_free", Moment.BEFORE, call=2),
    FailPoint("inside-follow-up", "jobs.refreshing:recompute", Moment.AFTER),
    FailPoint(
        "inside-sweep",
        "jobs.sweeping:delete_posts",
        Moment.AFTER,
        call=2,
        scene=Scene.SNAPSHOT,
        meanwhile=Meanwhile.TAKEN_OVER,
    ),
    FailPoint("swept-and-forgotten", "jobs.sweeping:forget", Moment.BEFORE, call=2, scene=Scene.SNAPSHOT),
)


def arm(
    point: FailPoint,
    stand_still: Callable[[], Awaitable[None]],
    put: Callable[[Any, str, Any], None] = setattr,
) -> None:
    """Wrap the function of a fail point in this process, so that the call that is meant stands still."""
    module, _, path = point.function.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    put(owner, name, _caught(getattr(owner, name), point, stand_still))


def _caught(
    function: Callable[..., Awaitable[Any]], point: FailPoint, stand_still: Callable[[], Awaitable[None]]
) -> Callable[..., Awaitable[Any]]:
    calls = itertools.count(1)

    @functools.wraps(function)
    async def caught(*args: Any, **options: Any) -> Any:
        moment = point.moment if next(calls) == point.call else None
        if moment is Moment.BEFORE:
            await stand_still()
        result = await function(*args, **options)
        if moment is Moment.AFTER:
            await stand_still()
        if moment is Moment.COMMITTED:
            _at_commit(args[1].session, stand_still)
        return result

    return caught


def _at_commit(session: AsyncSession, stand_still: Callable[[], Awaitable[None]]) -> None:
    event.listen(session.sync_session, "after_commit", lambda _: await_only(stand_still()), once=True)
