"""Is this worker alive, and can it work? Said by the loop, read by the threads that answer probes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from worker.resources import ServiceError, check_database
from worker.rounds import over
from worker.schema import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.resources import Resources

BEAT_SECONDS = 0.5
CHECK_SECONDS = 3.0  # a service that takes longer is away
RECENT_SECONDS = 15.0  # an answer older than this says nothing any more
OK = "ok"


@dataclass(slots=True)
class Health:
    """What the loop last said of itself and of the services it needs.

    `alive_seconds` is how long the loop may be silent. Other threads read; each field is replaced whole.
    """

    alive_seconds: float
    beaten_at: float = field(default_factory=time.monotonic)
    checked: tuple[float, Mapping[str, str]] = (0.0, {})

    def live(self) -> tuple[bool, dict[str, str]]:
        """Tell whether the loop runs."""
        silent = time.monotonic() - self.beaten_at
        alive = silent <= self.alive_seconds
        return alive, {"loop": OK if alive else f"blocked for {silent:.0f} seconds"}

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Tell whether the services answered when they were last asked, and that this was not long ago."""
        at, found = self.checked
        if not found:
            return False, {"checks": "not made yet"}
        ago = time.monotonic() - at
        if ago > RECENT_SECONDS:
            return False, {**found, "checks": f"made {ago:.0f} seconds ago"}
        return all(says == OK for says in found.values()), dict(found)


async def keep_beating(health: Health, stop: asyncio.Event) -> None:
    """Say again and again that the loop runs."""
    seconds = 0.0
    while not await over(stop, seconds):
        health.beaten_at = time.monotonic()
        seconds = BEAT_SECONDS


async def examine(resources: Resources) -> dict[str, str]:
    """Ask the services: for each "ok", or in one line without passwords what is wrong."""
    database, redis = await asyncio.gather(_database(resources), _redis(resources))
    return database | redis


async def _database(resources: Resources) -> dict[str, str]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check_database(resources.database.engine, migrated=False, schema=True)
    except SchemaError as error:
        return {"database": OK, "schema": str(error)}
    except ServiceError as error:
        return {"database": str(error)}
    except TimeoutError:
        return {"database": f"no answer in {CHECK_SECONDS:.0f} seconds"}
    return {"database": OK, "schema": OK}


async def _redis(resources: Resources) -> dict[str, str]:
    if resources.redis is None:
        return {}
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await resources.redis.ping()
    except (OSError, RedisError) as error:
        # A TimeoutError of ours is an OSError without words.
        return {"redis": " ".join(str(error).split()) or f"no answer in {CHECK_SECONDS:.0f} seconds"}
    return {"redis": OK}
