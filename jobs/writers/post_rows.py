"""What a record of a post puts into the tables."""

from __future__ import annotations

from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING

from jobs.writers.differences import KEY, WHERE
from models.likeness import Likeness
from models.post import UNLINKED_AUTHOR, UNLINKED_PARENT, Post
from models.tag import tags_of
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from jobs.sources.record import PostRecord
    from jobs.writers.differences import Values
    from jobs.writers.references import References
    from models.run_file import Origin

# The fields of a record that are columns of the same name.
SAID = (
    *("created_at", "author_external_id", "author_name", "parent_external_id"),
    *("kind", "title", "content", "score"),
)
said_by = attrgetter(*SAID)
COLUMNS = ("author_id", "parent_id", *SAID, "missing_since")
WRITTEN = (*COLUMNS, "word_count", *WHERE)
INSERTED = (*KEY, *WRITTEN)
AUTHOR = INSERTED.index("author_id")
LIKENESS = Likeness(
    Post,
    COLUMNS,
    (
        *[Post.__table__.c[name] for name in (*SAID, "missing_since")],
        *(UNLINKED_AUTHOR, UNLINKED_PARENT, tags_of(Post.id)),
    ),
)
NO_TAGS: AbstractSet[int] = frozenset()


def new_rows(
    origin: Origin, records: Sequence[PostRecord], refer: References, keys: Mapping[str, int | None]
) -> list[Values]:
    """Make the rows of new posts, the values of INSERTED.

    They are inserted in the order of their records, so that only later ones can refer to them.
    """
    rows = []
    authors, parents = refer.authors, refer.parents
    for r, key in zip(records, keys.values(), strict=True):
        above = r.parent_external_id or ""
        if (parent := parents.get(above)) is None and key is not None:
            parent = keys.get(above)
            parent = parent if parent is not None and parent < key else None
        author = authors.get(r.author_external_id or "")
        values = (author, parent, *said_by(r), None, *more_of(origin, r))
        rows.append((key, origin.site, r.external_id, *values))
    return rows


def lines_of(records: Sequence[PostRecord], tags: Mapping[str, int]) -> bytes:
    """Write what records say as the rows do that are like them."""
    said = [map(attrgetter(name), records) for name in SAID]
    tagged = [sorted(tags_in(r, tags)) if r.tags else None for r in records]
    return LIKENESS.lines([*said, repeat(None), repeat(False), repeat(False), tagged])  # noqa: FBT003


def authors_of(rows: Sequence[Values]) -> set[int]:
    """Give the primary keys of the authors of new rows."""
    return {row[AUTHOR] for row in rows} - {None}


def more_of(origin: Origin, record: PostRecord) -> Values:
    """Give the values that are written and not compared: words are counted only here."""
    return word_count(record.content), origin.file_id, record.offset, record.repairs


def tags_in(record: PostRecord, tags: Mapping[str, int]) -> AbstractSet[int]:
    """Give the primary keys of a post's tags."""
    return {tags[name] for name in record.tags} if record.tags else NO_TAGS
