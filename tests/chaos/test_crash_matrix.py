"""Whatever befalls a process at whatever boundary, the import comes to what it comes to undisturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models import State
from models.stats_upkeep import drifted
from tests.chaos.conftest import FULL
from tests.chaos.fail_points import FAIL_POINTS, FailPoint, Scene
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.settled import run_line, settled
from tests.chaos.truth import Rows, differences, truth
from worker.main import working

if TYPE_CHECKING:
    from tests.chaos.stage import Stage
    from worker.resources import Resources

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

# The short form: each boundary with the fault that it is most in danger of.
SHORT = {
    "claim-not-committed": "cut",
    "claimed-not-acknowledged": "kill-9",
    "claimed": "sigterm",
    "batch-begun": "sigstop",
    "mid-batch": "cut",
    "before-commit": "kill-9",
    "committed-not-seen": "kill-9",
    "before-finish": "sigstop",
    "finished-not-rung": "kill-9",
    "asked-not-rung": "kill-9",
    "taken-back-not-rung": "kill-9",
    "follow-up-not-begun": "sigterm",
    "inside-follow-up": "cut",
    "inside-sweep": "cut",
    "swept-and-forgotten": "kill-9",
}

SHORT_ON_MARIADB = {
    "mid-batch": "sigstop",
    "before-commit": "cut",
    "finished-not-rung": "kill-9",
    "inside-sweep": "sigstop",
}


def cases() -> list[object]:
    """List the cases as (backend, fail point, fault); a database file has no connection to cut."""
    servers = {"postgresql": SHORT, "mariadb": SHORT_ON_MARIADB}
    whole = [(server, point, fault) for server in servers for point in FAIL_POINTS for fault in FAULTS]
    whole += [("sqlite", point, FAULTS[0]) for point in FAIL_POINTS]
    short = [case for case in whole if servers.get(case[0], {}).get(case[1].name) == case[2].name]
    return [
        pytest.param(*case, id=f"{case[1].name}-{case[2].name}-{case[0]}")
        for case in (whole if FULL else short)
    ]


@pytest.mark.parametrize(("backend", "point", "fault"), cases(), indirect=["backend"])
async def test_the_end_is_that_of_an_undisturbed_import(
    stage: Stage, point: FailPoint, fault: Fault, undisturbed: dict[str, Rows]
) -> None:
    async with stage.caught(point) as process:
        await fault.strike(stage, process, point)
        async with working(stage.resources):
            await fault.relent(stage, process, point)
            await settled(stage.resources)
        code = await process.end()
    assert code in {0, -9} or point.scene is Scene.ASK, process.log.read_text()
    await check_runs(stage.resources)
    expected = dict(undisturbed)
    if point.scene is Scene.SNAPSHOT:  # what it deletes stands in no other receipt
        del expected["receipts"]
    assert differences(await truth(stage.resources.database), expected) == []
    async with stage.resources.database.reading() as session:
        assert await drifted(session) == 0


async def check_runs(resources: Resources) -> None:
    """See that there is one import and that it has one follow-up, and that no run failed."""
    runs = await settled(resources)
    told = [run_line(run) for run in runs]
    assert {run.state for run in runs} == {State.SUCCEEDED}, told
    (imported,) = (run for run in runs if run.job == "import_dump")
    assert [run.parent_id for run in runs if run.parent_id] == [imported.id], told
