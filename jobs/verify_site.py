from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.verifying import site

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import VerifySite


async def verify_site(context: JobContext, request: VerifySite) -> dict[str, Any]:
    """Count the rows of a site and add up their digests; nothing is written but the answer."""
    async with context.reading() as session:
        return {"verification": await site.verify_site(session, request.site)}
