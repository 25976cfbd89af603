from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.verifying import run

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import VerifyRun


async def verify_run(context: JobContext, request: VerifyRun) -> dict[str, Any]:
    """Hold a run against its files and the tables; nothing is written but the answer."""
    async with context.reading() as session:
        found = await run.verify_run(session, request.run)
    return {"sound": found["sound"], "verification": found}
