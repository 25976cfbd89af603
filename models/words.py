"""How the words of a post are counted."""

from __future__ import annotations

import re

MARKUP = re.compile(r"<[^>]*>")


def word_count(content: str | None) -> int:
    """Count what white space separates in a post's content without its `<…>` markup."""
    return len(MARKUP.sub(" ", content or "").split())
