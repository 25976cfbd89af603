"""Where the `<row … />` elements of a dump begin and end, and what their attributes are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.sources.errors import UnloadableError
from jobs.sources.text import REPLACEMENT
from jobs.sources.values import shown
from jobs.sources.window import MAX_RECORD_BYTES, Window, oversized, pass_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from jobs.sources.layout import Layout
    from jobs.sources.record import BadRecord
    from jobs.sources.window import Frame

# Comments are looked for only so far, lest many unclosed ones make reading quadratic.
MAX_COMMENT_BYTES = 4 * 1024
COMMENT_REACH_BYTES = MAX_COMMENT_BYTES + len("<!---->")
BETWEEN_ROWS = re.compile(
    rb"(?:[ \t\r\n]+|\xef\xbb\xbf|<!--.{0,%d}?-->|<\?.{0,%d}?\?>|</?(?:users|posts|tags)[ \t\r\n]{0,64}>)*"
    % (MAX_COMMENT_BYTES, MAX_COMMENT_BYTES),
    re.DOTALL,
)
COMMENT_BEGINS = re.compile(rb"<!--|<\?")
# At most 1000 attributes, because each costs the matcher memory; an atomic group instead of a possessive one,
# because those go wrong before Python 3.11.5.
ROW = re.compile(
    rb"""<row(?=[ \t\r\n/])[^"'<>]*+(?>(?:"[^"]*+"[^"'<>]*+|'[^']*+'[^"'<>]*+){0,1000})(?<=/)>"""
)
# Behind what is no row, reading goes on with a row that begins a line or follows the end of another.
NEXT_ROW = re.compile(rb"(?:\n|/>)(?=[ \t\r\n]{0,64}(?:<row[ \t\r\n/]|</(?:users|posts|tags)[ \t\r\n>]))")
ATTRIBUTE = re.compile(r"""[ \t\r\n]+([^\s"'<>/=&]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')""")
LINE_BREAK = re.compile(r"\r\n|[\r\n\t]")


def rows(window: Window) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each row; what stands between rows and is no markup of a dump is a bad record."""
    while True:
        between = BETWEEN_ROWS.match(window.data, window.position)
        window.position = start = between.end() if between else window.position
        row = ROW.match(window.data, start)
        if (
            row
            and (end := row.end()) - start <= MAX_RECORD_BYTES
            and window.data.find(b"<", start + 1, end) < 0
        ):
            yield window.take(end)
        elif window.unread or not window.ended:
            yield from _unusual(window, row)
        else:
            return


def _unusual(window: Window, row: re.Match[bytes] | None) -> Iterator[Frame | BadRecord]:
    """Settle what is no row, or not all in view, or has a `<` inside a value, where XML forbids it."""
    following = NEXT_ROW.search(window.data, window.position)
    if following:
        # A quote that is never closed must not make a row run on into the next.
        row = ROW.match(window.data, window.position, following.end())
    if row is None and _may_go_on(window, following):
        window.grow()
        return
    end = following.end() if following else len(window.data)
    if (row.end() if row else end) - window.position > MAX_RECORD_BYTES:
        yield oversized(window, NEXT_ROW)
    elif row:
        yield window.take(row.end())
    else:
        yield window.bad(end, "syntax", f"no complete <row … /> element at byte {window.offset}")


def _may_go_on(window: Window, following: re.Match[bytes] | None) -> bool:
    """Whether more bytes may make a row, or a comment that ends, of what is in view."""
    if window.ended:
        return False
    if COMMENT_BEGINS.match(window.data, window.position) and window.unread < 2 * MAX_COMMENT_BYTES:
        return True
    return following is None and window.unread <= MAX_RECORD_BYTES


def cuts(stream: BinaryIO, layout: Layout, wanted: Iterable[int]) -> Iterator[int]:
    """Yield, for each wanted offset, the next at which a row begins for sure: no comment may hold it."""
    for offset in wanted:
        window = Window(stream, offset)
        pass_over(window, NEXT_ROW)
        while (comment := _comment_before(stream, window.offset, layout)) is not None:
            window = Window(stream, comment + COMMENT_REACH_BYTES)
            pass_over(window, NEXT_ROW)
        yield window.offset


def _comment_before(stream: BinaryIO, offset: int, layout: Layout) -> int | None:
    """Give where the last comment begins that may reach to `offset`."""
    begin = max(layout.start, offset - COMMENT_REACH_BYTES + 1)
    stream.seek(begin)
    before = stream.read(offset - begin)
    last = max(before.rfind(b"<!--"), before.rfind(b"<?"))
    return None if last < 0 else begin + last


def attributes(row: str) -> dict[str, str]:
    """Give the attributes of a row, values still encoded; raise UnloadableError if it is malformed."""
    found: dict[str, str] = {}
    position = len("<row")
    while attribute := ATTRIBUTE.match(row, position):
        name, double, single = attribute.groups()
        if name in found:
            raise UnloadableError("syntax", f"the attribute {shown(name)} appears twice")
        found[name] = single if double is None else double
        position = attribute.end()
    if row[position:].strip(" \t\r\n") != "/>":
        raise UnloadableError("syntax", f"no attribute at character {position} of the row")
    return found


def normal(value: str) -> str:
    """Replace line breaks and tabs by a space each, as XML does in attribute values, and U+0000 by U+FFFD."""
    return LINE_BREAK.sub(" ", value).replace("\0", REPLACEMENT)
