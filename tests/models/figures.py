"""The figures of an author, computed in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.sources.record import PostRecord
    from models import Post


def expected(posts: Sequence[PostRecord | Post]) -> dict[str, Any]:
    """Compute one author's figures."""
    scores = sorted((p.score for p in posts), reverse=True)
    return {
        "post_count": len(posts),
        "total_score": sum(scores),
        "mean_score": sum(scores) / len(scores),
        "max_score": scores[0],
        "h_index": max([h for h in range(len(scores) + 1) if sum(s >= h for s in scores) >= h]),
        "word_count": sum(len((p.content or "").split()) for p in posts),
        "active_days": len({p.created_at.date() for p in posts}),
        "first_post_at": min(p.created_at for p in posts),
        "last_post_at": max(p.created_at for p in posts),
    }
