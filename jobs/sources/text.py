"""Characters that no database text can hold: U+0000 and lone surrogates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SURROGATE = re.compile("[\ud800-\udfff]")
IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")


def repaired(text: str) -> tuple[str, int]:
    """Give `text` with pairs of surrogates joined and the impossible characters replaced, and their count."""
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return IMPOSSIBLE.subn(REPLACEMENT, text)


def repaired_values(values: Iterable[object]) -> tuple[list[object], int]:
    """Give values with the texts among them, and those in lists, repaired, and how many characters were."""
    kept: list[object] = []
    repairs = 0
    for value in values:
        count = 0
        if isinstance(value, str):
            value, count = repaired(value)  # noqa: PLW2901 - it takes the place of what was there
        elif isinstance(value, list):
            value, count = repaired_values(value)  # noqa: PLW2901 - likewise
        kept.append(value)
        repairs += count
    return kept, repairs
