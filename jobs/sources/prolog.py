"""What precedes the first row of a dump: declaration, document type, and the root that names the entity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.columns import COLUMNS
from jobs.sources.errors import (
    EntityMismatchError,
    MappingError,
    TruncatedDumpError,
    UnknownEntityError,
    UnknownFormatError,
)
from jobs.sources.layout import Layout
from jobs.sources.markup import BETWEEN_ROWS

if TYPE_CHECKING:
    from jobs.mapping import FieldMapping
    from jobs.sources.glimpse import Glimpse
    from jobs.sources.record import Entity

# A document type is passed over with its internal subset; nothing it names is ever loaded.
# Each piece is matched on its own: one pattern for all of them could backtrack for ever.
MISCELLANY = re.compile(rb"\xef\xbb\xbf|[ \t\r\n]+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
DOCUMENT_TYPE = re.compile(rb"""<!DOCTYPE(?:[^\[\]"'<>]|"[^"]*"|'[^']*')*([\[>])""")
IN_SUBSET = re.compile(rb"""<!--.*?-->|<\?.*?\?>|<(?!!--|\?)|[^\]"'<]+|"[^"]*"|'[^']*'""", re.DOTALL)
END_OF_SUBSET = re.compile(rb"\][ \t\r\n]*>")
ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)(?:[ \t\r\n][^<>]*?)?(/?)>")


def look(seen: Glimpse, asked: Entity | None, mapping: FieldMapping | None = None) -> Layout:
    """Find the root element, and make sure that it is one of ours and is closed at the end of the file."""
    if mapping:
        raise MappingError(seen.path, "is XML, whose attributes are known", "import it without a mapping")
    root = ROOT.match(seen.head, _end_of_prolog(seen.head))
    if root is None:
        problem = "binary data" if seen.is_binary else "no XML root element"
        raise UnknownFormatError(
            seen.path, f"holds {problem}", "name its format with --format or check the file"
        )
    entity = _entity(seen, root[1].decode(errors="replace"), asked)
    first = None if root[2] else BETWEEN_ROWS.match(seen.head, root.end())
    start = first.end() if first else root.end()
    layout = Layout(seen.path, "stackexchange", entity, start, seen.size, compression=seen.compression)
    if seen.tail is not None and not root[2]:
        check_end(layout, seen.tail, seen.size)
    return layout


def check_end(layout: Layout, tail: bytes, size: int) -> None:
    """Raise TruncatedDumpError unless the root is closed at the end of the `size` bytes, or never opened."""
    root = layout.entity.encode()
    closed = rb"(?:</%b[ \t\r\n]*|<%b(?:[ \t\r\n][^<>]*)?/)>(?>(?:[ \t\r\n]+|<!--.*?-->)*)\Z" % (root, root)
    if not re.search(closed, tail, re.DOTALL):
        problem = f"is cut off: it ends at byte {size} without </{layout.entity}>"
        raise TruncatedDumpError(layout.path, problem, "fetch or unpack it again")


def _end_of_prolog(head: bytes) -> int:
    end = _pass_over(MISCELLANY, head, 0)
    if document_type := DOCUMENT_TYPE.match(head, end):
        end = document_type.end()
        if document_type[1] == b"[":
            end = _pass_over(IN_SUBSET, head, end)
            end = subset.end() if (subset := END_OF_SUBSET.match(head, end)) else end
        end = _pass_over(MISCELLANY, head, end)
    return end


def _pass_over(pieces: re.Pattern[bytes], head: bytes, start: int) -> int:
    while piece := pieces.match(head, start):
        start = piece.end()
    return start


def _entity(seen: Glimpse, root: str, asked: Entity | None) -> Entity:
    found = next((entity for entity in COLUMNS if entity == root), None)
    if found is None:
        raise UnknownEntityError(
            seen.path, f"holds <{root[:40]}>, not <users>, <posts> or <tags>", "give one of those files"
        )
    if asked not in (None, found):
        raise EntityMismatchError(seen.path, f"holds {found}, not {asked}", f"ask for --entity {found}")
    return found
