"""Characters that no database text can hold: U+0000 and lone surrogates."""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SURROGATE = re.compile("[\ud800-\udfff]")
IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")


def repaired(text: str) -> tuple[str, int]:
    """Give `text` with pairs of surrogates joined and the impossible characters replaced, and their count."""
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return IMPOSSIBLE.subn(REPLACEMENT, text)
