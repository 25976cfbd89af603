"""What befalls a soak, and how often: `strike` is the blow, `repair` what is done about it then."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random
    from typing import Any

    import psutil

    from tests.chaos.soak import Soak

    Deed = Callable[[Soak, psutil.Process], Coroutine[Any, Any, None]]

HANG_SECONDS = 3.0
CUT = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
""")


async def _nothing(_soak: Soak, _worker: psutil.Process) -> None:
    return


async def _kill(_soak: Soak, worker: psutil.Process) -> None:
    worker.kill()


async def _terminate(_soak: Soak, worker: psutil.Process) -> None:
    worker.terminate()


async def _pause(_soak: Soak, worker: psutil.Process) -> None:
    worker.suspend()


async def _resume(soak: Soak, worker: psutil.Process) -> None:
    """Let it sleep until others have taken its run: from one lease and a bit to two."""
    await asyncio.sleep(soak.resources.settings.lease_seconds * soak.dice.uniform(1.2, 2))
    worker.resume()


async def _kill_another(soak: Soak, worker: psutil.Process) -> None:
    soak.dice.choice(soak.fleet.others(f":{worker.pid}")).kill()


async def _kill_redis(soak: Soak, _worker: psutil.Process) -> None:
    await asyncio.to_thread(soak.house.kill_server, "redis.pid")


async def _hang_redis(soak: Soak, _worker: psutil.Process) -> None:
    soak.house.server("redis.pid").suspend()


async def _wake_redis(soak: Soak, _worker: psutil.Process) -> None:
    await asyncio.sleep(HANG_SECONDS)
    soak.house.server("redis.pid").resume()


async def _flush_redis(soak: Soak, _worker: psutil.Process) -> None:
    assert soak.resources.redis is not None
    await soak.resources.redis.flushall()


async def _kill_postgres(soak: Soak, _worker: psutil.Process) -> None:
    await asyncio.to_thread(soak.house.kill_server, "postgres/postmaster.pid")


async def _stop_postgres(soak: Soak, _worker: psutil.Process) -> None:
    soak.house.server("postgres/postmaster.pid").send_signal(signal.SIGQUIT)


async def _cut(soak: Soak, _worker: psutil.Process) -> None:
    async with soak.resources.database.writing.begin() as session:
        await session.execute(CUT)


async def _restart(soak: Soak, _worker: psutil.Process) -> None:
    """Start what was stopped, after up to a second."""
    await asyncio.sleep(soak.dice.uniform(0, 1))
    async with soak.house.hold():
        return


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One kind: `share` is how many of 200 it makes; `ends_attempt` if another worker has to take over.

    A worker that is paused while it commits keeps its run: the run's row is locked, and nobody takes it.
    """

    name: str
    share: int
    strike: Deed
    repair: Deed = _nothing
    ends_attempt: bool = False


KILL_9 = Disturbance("kill -9 of the worker at work", 70, _kill, ends_attempt=True)
DISTURBANCES = (
    KILL_9,
    Disturbance("SIGTERM to the worker at work", 25, _terminate, ends_attempt=True),
    Disturbance("SIGSTOP of it beyond the lease, then SIGCONT", 20, _pause, _resume),
    Disturbance("kill -9 of another worker", 15, _kill_another),
    Disturbance("kill -9 of Redis, then a restart", 12, _kill_redis, _restart),
    Disturbance("Redis hangs for 3 s", 10, _hang_redis, _wake_redis),
    Disturbance("FLUSHALL", 12, _flush_redis),
    Disturbance("kill -9 of PostgreSQL, then a restart", 12, _kill_postgres, _restart),
    Disturbance("immediate stop of PostgreSQL, then a restart", 12, _stop_postgres, _restart),
    Disturbance("all database connections cut", 12, _cut),
)


def deck(how_many: int, dice: Random) -> list[Disturbance]:
    """Shuffle so many disturbances, of each kind its share and at least one."""
    cards = [kind for kind in DISTURBANCES for _ in range(max(1, kind.share * how_many // 200))]
    dice.shuffle(cards)
    return cards
