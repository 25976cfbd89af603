"""An attempt of the test's own process that stands still at a fail point until it is released."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.fail_points import arm

if TYPE_CHECKING:
    import pytest

    from tests.chaos.fail_points import FailPoint


@dataclass(frozen=True, slots=True)
class Held:
    """`reached` is set when it stands still; it goes on once `released` is set."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def stand_still(self) -> None:
        self.reached.set()
        await self.released.wait()


def hold(point: FailPoint, monkeypatch: pytest.MonkeyPatch) -> Held:
    """Have the attempt that comes to a fail point first stand still there."""
    held = Held()
    arm(point, held.stand_still, monkeypatch.setattr)
    return held
