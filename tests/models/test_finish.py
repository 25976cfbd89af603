"""The end of an attempt is written only while it holds its run, alone or together with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models import State
from models.finish import Ending, finish
from tests.conftest import every_database
from tests.factories import run_of, running

if TYPE_CHECKING:
    from worker.resources import Resources


@every_database
@pytest.mark.parametrize("held", [0, 1, 3])
async def test_a_lost_attempt_writes_no_end_and_spoils_none(resources: Resources, held: int) -> None:
    lost, *ours = [await running(resources) for _ in range(1 + held)]
    endings = [Ending(lost.run_id, lost.attempt + 1, State.FAILED, error="late")]
    endings += [Ending(one.run_id, one.attempt, State.SUCCEEDED, result={"rows": 1}) for one in ours]
    async with resources.database.writing.begin() as session:
        assert await finish(session, endings) == {(one.run_id, one.attempt) for one in ours}
    left = await run_of(resources, lost.run_id)
    assert (left.state, left.error) == (State.RUNNING, None)
    for one in ours:
        run = await run_of(resources, one.run_id)
        assert (run.state, run.result) == (State.SUCCEEDED, {"rows": 1})


@every_database
async def test_an_attempt_that_ends_alone_writes_its_end_once(resources: Resources) -> None:
    context = await running(resources)
    ending = Ending(context.run_id, context.attempt, State.SUCCEEDED)
    for expected in ({(context.run_id, context.attempt)}, set()):
        async with resources.database.writing.begin() as session:
            assert await finish(session, [ending]) == expected
