"""What befalls a process that was caught: `strike` before others take over, `relent` while they work."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.fail_points import Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chaos.caught import Caught
    from tests.chaos.fail_points import FailPoint
    from tests.chaos.stage import Stage

    Deed = Callable[[Stage, Caught, FailPoint], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to disturb a process."""

    name: str
    strike: Deed
    relent: Deed


async def _nothing(_stage: Stage, _process: Caught, _point: FailPoint) -> None:
    return


async def _kill(_stage: Stage, process: Caught, _point: FailPoint) -> None:
    process.send(signal.SIGKILL)
    assert await process.ended() == -signal.SIGKILL


async def _terminate(_stage: Stage, process: Caught, point: FailPoint) -> None:
    process.send(signal.SIGTERM)
    process.release()
    code = await process.ended()
    assert code == 0 or point.scene is Scene.ASK, process.log.read_text()


async def _pause(_stage: Stage, process: Caught, _point: FailPoint) -> None:
    process.send(signal.SIGSTOP)


async def _wake(stage: Stage, process: Caught, point: FailPoint) -> None:
    await stage.meanwhile(point.meanwhile)
    process.release()
    process.send(signal.SIGCONT)


async def _cut(stage: Stage, process: Caught, _point: FailPoint) -> None:
    await stage.cut_connections()
    process.release()


FAULTS = (
    Fault("kill-9", _kill, _nothing),
    Fault("sigterm", _terminate, _nothing),
    Fault("sigstop", _pause, _wake),
    Fault("cut", _cut, _nothing),
)
