"""How the words of a post are counted."""

from __future__ import annotations

import re

from models import native

MARKUP = re.compile(r"<[^>]*>")
# White space as " ", brackets as they are, all else as "x", for each of the first 256 characters.
CLASSES = bytes(
    code if code in b"<>" else ord(" ") if chr(code).isspace() else ord("x") for code in range(256)
)
OTHER_SPACES = (
    "\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def python_word_count(content: str | None) -> int:
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
    """Count the beginnings of words without making words; None unless brackets pair and spaces are usual.

    Then what stands between brackets is every other piece.
    """
    try:
        data = content.encode("latin-1")
    except UnicodeEncodeError:
        if any(space in content for space in OTHER_SPACES):
            return None
        data = content.encode(
            "latin-1", "replace"
        )  # by "?", which is as little a space as what it stands for
    classes = data.translate(CLASSES)
    brackets = classes.translate(None, b" x")
    if brackets != b"<>" * (len(brackets) // 2):
        return None
    outside = classes.replace(b"<", b">").split(b">")[::2]
    return (b" " + b" ".join(outside)).count(b" x")


word_count = native.word_count or python_word_count
