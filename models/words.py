"""How the words of a post are counted."""

from __future__ import annotations

import re

MARKUP = re.compile(r"<[^>]*>")
MARKUP_IN_BYTES = re.compile(MARKUP.pattern.encode())
# White space as " ", all else as "x".
SPACED = bytes(ord(" ") if chr(code).isspace() and code < 128 else ord("x") for code in range(256))  # noqa: PLR2004
# The first bytes, in UTF-8, of all white space that is not ASCII.
OTHER_SPACES = (b"\xc2", b"\xe1", b"\xe2", b"\xe3")


def word_count(content: str | None) -> int:
    """Count what white space separates in a post's content without its `<…>` markup.

    Where all white space is ASCII, the beginnings of words are counted among the bytes, without making words.
    """
    if not content:
        return 0
    data = content.encode("utf-8", "surrogatepass")
    if any(first in data for first in OTHER_SPACES):
        return len(MARKUP.sub(" ", content).split())
    return (b" " + MARKUP_IN_BYTES.sub(b" ", data).translate(SPACED)).count(b" x")
