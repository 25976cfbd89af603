from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.loading import link
from jobs.requests import RefreshAuthorStats
from jobs.superseding import supersede

if TYPE_CHECKING:
    from jobs.context import JobContext
    from jobs.requests import LinkPosts


async def link_posts(context: JobContext, request: LinkPosts) -> None:
    """Link the posts of a site to the authors and parents that arrived after them."""
    await link(context, request.site)
    await supersede(context, request.site)
    if context.whole_id is None:
        context.then(RefreshAuthorStats())
