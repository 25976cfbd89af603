"""What exported columns hold, by name; those that are not listed hold text."""

from __future__ import annotations

TIMES = frozenset({"created_at", "first_post_at", "last_post_at", "computed_at"})
LISTS = frozenset({"tags"})
FLOATS = frozenset({"mean_score"})
INTEGERS = frozenset(
    {
        "reputation",
        "score",
        "author_id",
        "post_count",
        "total_score",
        "max_score",
        "h_index",
        "word_count",
        "active_days",
    }
)
