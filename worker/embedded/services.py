"""The lifetime of the embedded services: begun by the first command of a home, ended by the last."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from worker.embedded import locks
from worker.embedded.errors import HomeUnusableError
from worker.embedded.home import Home, make_folder
from worker.embedded.postgres import Postgres
from worker.embedded.redis import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

T = TypeVar("T")
START_LOCK = "start.lock"  # held alone while services are started or stopped
USE_LOCK = "use.lock"  # held together by all who use them
LOCK_SECONDS = 150.0  # longer than whoever holds it waits for PostgreSQL
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Services:
    """Where the embedded services are; None for one that was not asked for or does not run."""

    database_url: str | None
    redis_url: str | None


@asynccontextmanager
async def embedded_services(
    home: Path, *, postgres: bool, redis: bool, options: Mapping[str, str] = NO_OPTIONS
) -> AsyncIterator[Services]:
    """Hold the services of a home: start what does not run, and stop them if nobody else holds them.

    The options are further PostgreSQL settings by name; they count if it is started here.

    Raises:
        EmbeddedError: they cannot be used; the message, one line, says why and what to do.

    """
    if not (postgres or redis):
        yield Services(None, None)
        return
    hold = _Hold(home, options)
    try:
        yield await _to_its_end(lambda: hold.take(postgres=postgres, redis=redis), hold.give_up)
    finally:
        await _to_its_end(hold.release)


async def running(home: Path) -> Services:
    """Tell which services of a home answer right now; nothing is started and nothing written."""

    def look() -> Services:
        found = Home.find(home)
        return _answering(found) if found else Services(None, None)

    return await _to_its_end(look)


def _answering(home: Home) -> Services:
    postgres, redis = Postgres(home, NO_OPTIONS), Redis(home)
    return Services(postgres.url if postgres.answers() else None, redis.url if redis.answers() else None)


@dataclass(slots=True)
class _Hold:
    """One command's share of the services of a home."""

    folder: Path
    options: Mapping[str, str]
    home: Home | None = None
    use: int | None = None
    given_up: bool = False

    def take(self, *, postgres: bool, redis: bool) -> Services:
        """Start what does not run and note that it is in use."""
        try:
            folder = make_folder(self.folder)
            lock = folder / START_LOCK
            with locks.exclusive(lock, seconds=LOCK_SECONDS, unless=lambda: self.given_up):
                self.use = locks.shared(folder / USE_LOCK)
                home = Home.at(folder)
                home.make_sockets()
                self.home = home
                return self._ensure(home, postgres=postgres, redis=redis)
        except OSError as error:
            raise HomeUnusableError(home=self.folder, reason=error) from error

    def give_up(self) -> None:
        """Wait no longer for others who start or stop the services."""
        self.given_up = True

    def release(self) -> None:
        """Stop the services if nobody else uses them; whatever happens, use them no longer."""
        try:
            if self.home is not None:
                self._leave(self.home)
        except OSError as error:
            raise HomeUnusableError(home=self.folder, reason=error) from error
        finally:
            self._let_go()

    def _ensure(self, home: Home, *, postgres: bool, redis: bool) -> Services:
        database, queue = Postgres(home, self.options), Redis(home)
        if redis:
            queue.ensure()
        if postgres:
            database.ensure()
        return Services(database.url if postgres else None, queue.url if redis else None)

    def _leave(self, home: Home) -> None:
        if not home.exists():
            self._stop(home)  # it was deleted, and its locks with it
            return
        with locks.exclusive(home.folder / START_LOCK, seconds=LOCK_SECONDS):
            self._let_go()
            if locks.is_free(home.folder / USE_LOCK):
                self._stop(home)

    def _stop(self, home: Home) -> None:
        with ExitStack() as stack:  # one that fails to stop must not keep the other from it
            stack.callback(home.remove_sockets)
            stack.callback(Postgres(home, self.options).stop)
            stack.callback(Redis(home).stop)

    def _let_go(self) -> None:
        if self.use is not None:
            os.close(self.use)
            self.use = None


async def _to_its_end(step: Callable[[], T], give_up: Callable[[], None] | None = None) -> T:
    """Run a blocking step in a thread; a cancelled caller still waits for it, and only then leaves."""
    task = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if give_up is not None:
            give_up()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it as forgotten
        raise
