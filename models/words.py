"""How the words of a post are counted."""

from __future__ import annotations

import re

MARKUP = re.compile(r"<[^>]*>")
# White space as " ", brackets as they are, all else as "x".
CLASSES = bytes(
    code if code in b"<>" else ord(" ") if chr(code).isspace() and code < 128 else ord("x")  # noqa: PLR2004
    for code in range(256)
)
# The first bytes, in UTF-8, of all white space that is not ASCII.
OTHER_SPACES = b"\xc2\xe1\xe2\xe3"
ALL_BUT_OTHER_SPACES = bytes(set(range(256)) - set(OTHER_SPACES))


def word_count(content: str | None) -> int:
    """Count what white space separates in a post's content without its `<…>` markup."""
    if not content:
        return 0
    quick = _among_bytes(content)
    return len(_without_markup(content).split()) if quick is None else quick


def _without_markup(content: str) -> str:
    """Replace markup by spaces; behind the last `>` there is none, and looking for its ends takes long."""
    end = content.rfind(">") + 1
    return MARKUP.sub(" ", content[:end]) + content[end:]


def _among_bytes(content: str) -> int | None:
    """Count the beginnings of words without making words; None unless white space is ASCII and brackets pair.

    Then what stands between brackets is every other piece.
    """
    data = content.encode("utf-8", "surrogatepass")
    if not content.isascii() and data.translate(None, ALL_BUT_OTHER_SPACES):
        return None
    classes = data.translate(CLASSES)
    brackets = classes.translate(None, b" x")
    if brackets != b"<>" * (len(brackets) // 2):
        return None
    outside = classes.replace(b"<", b">").split(b">")[::2]
    return (b" " + b" ".join(outside)).count(b" x")
