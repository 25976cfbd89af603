"""Character references in an XML attribute value: the five predefined entities and numbers, nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError, ParserCreate

from jobs.sources.text import repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CODE_POINT = 0x10FFFF
REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]+);|#([0-9]+);|(lt|gt|quot|apos|amp);)?")
NAMED = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}


def decode(value: str) -> tuple[str, int]:
    """Resolve the references in `value`; also count what had to be repaired.

    Repaired are U+0000, lone surrogates and numbers beyond Unicode (each becomes U+FFFD), and any other `&`,
    which stays as it is: entities are never expanded. Control characters are kept, though XML forbids them.
    """
    # None of these makes an `&`, so what is left can be decoded without decoding anything twice.
    value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&#xA;", "\n")
    if "&" not in value:
        return value, 0
    decoded = value.replace("&amp;", "&")
    if len(value) - len(decoded) == len("amp;") * decoded.count("&"):
        return decoded, 0
    return _decode_rare(value)


def decode_all(values: Sequence[str]) -> list[str | None]:
    """Give what `decode` gives for each of many values, several times faster; None for what XML forbids.

    No value may be empty, or hold a `<` or a raw line break.
    """
    document = f"<a>{'<b/>'.join(values)}</a>".encode()
    texts: list[str | None] = []
    parser = ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.buffer_size = len(document)
    parser.CharacterDataHandler = texts.append
    parser.EndElementHandler = len  # any function, so that what is buffered is given before
    try:
        parser.Parse(document, True)  # noqa: FBT003 - it takes no keyword
    except ExpatError:
        half = len(values) // 2
        return [*decode_all(values[:half]), *decode_all(values[half:])] if half else [None]
    return texts


def _decode_rare(value: str) -> tuple[str, int]:
    stray = 0

    def character(match: re.Match[str]) -> str:
        nonlocal stray
        hexadecimal, decimal, name = match.groups()
        if hexadecimal or decimal:
            return _character(hexadecimal or decimal, 16 if hexadecimal else 10)
        stray += name is None
        return NAMED.get(name, "&")

    text, repairs = repaired(REFERENCE.sub(character, value))
    return text, repairs + stray


def _character(digits: str, base: int) -> str:
    """Give the character of that number, or U+0000 (which is replaced afterwards) if there is none."""
    significant = digits.lstrip("0")
    code_point = int(significant or "0", base) if len(significant) <= len(str(MAX_CODE_POINT)) else 0
    return chr(code_point) if code_point <= MAX_CODE_POINT else "\0"
