"""What would become of posts, and of their authors' figures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.digests import digest
from jobs.planning.users import plan_users
from jobs.planning.values import GIVEN, counted, values_of
from jobs.writers.differences import layers
from jobs.writers.post_rows import COLUMNS
from jobs.writers.written import Written
from models.database import to_its_end
from models.natural_key import stored_rows
from models.post import Post
from models.tag import linked_tags
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jobs.planning.foresight import Foresight
    from jobs.planning.movements import Author
    from jobs.sources.record import PostRecord

AUTHOR, AUTHOR_KEY, SCORE, MARK = (
    COLUMNS.index(name) for name in ("author_id", "author_external_id", "score", "missing_since")
)


class State(NamedTuple):
    """What is known of a post's row: the digest of its values and tags, whose it is, and its score."""

    digest: int
    author: Author
    score: int


def state_of(values: Sequence[Any], tags: Collection[str]) -> State:
    """Give the state of a row that holds values of COLUMNS and has tags."""
    return State(digest(*values, sorted(set(tags))), values[AUTHOR], values[SCORE])


async def plan_posts(foresight: Foresight, records: Sequence[PostRecord]) -> Written:
    """Count a batch of posts as the import would, and move the figures of their authors."""
    authors = await _plan_authors(foresight, records)
    batch = await _Batch.of(foresight, records)
    written = Written(authors=authors)
    for layer in layers(records):
        written += await to_its_end(asyncio.to_thread(batch.foresee, layer))
    return written


async def _plan_authors(foresight: Foresight, posts: Sequence[PostRecord]) -> Written | None:
    """Count the authors that posts carry: once each, and as the last of its posts has them."""
    carried = [post.author for post in posts if post.author]
    if not carried:
        return None
    authors = {author.external_id: author for author in carried}
    written = await plan_users(foresight, [authors[key] for key in sorted(authors)])
    written.skipped = len(carried) - len(authors)
    return written


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch of posts: the states of those that are stored, and the rows that all of them refer to.

    A row that would only be there has its external id for a key.
    """

    foresight: Foresight
    rows: Mapping[str, tuple[int, tuple[Any, ...]]]
    stored: dict[str, State]
    authors: Mapping[str, Author]
    parents: dict[str, Author]

    @classmethod
    async def of(cls, foresight: Foresight, records: Sequence[PostRecord]) -> _Batch:
        """Look up everything that the database knows of a batch."""
        session, site = foresight.session, foresight.site
        rows = await stored_rows(session, Post, site, {record.external_id for record in records}, COLUMNS)
        known = {key: row_id for key, (row_id, _) in rows.items()}
        links = await linked_tags(session, known.values())
        names = await foresight.tag_names.of([tuple(links.get(row_id, ())) for row_id in known.values()])
        wanted = {record.author_external_id for record in records if record.author_external_id}
        waited = {row[AUTHOR_KEY] for _, row in rows.values() if row[AUTHOR] is None and row[AUTHOR_KEY]}
        new = _new_authors(foresight, waited | wanted)
        stored = {
            key: _linked(state_of(row, tags), new.get(row[AUTHOR_KEY] or ""))
            for (key, (_, row)), tags in zip(rows.items(), names, strict=True)
        }
        above = {r.parent_external_id for r in records if r.parent_external_id} - known.keys()
        authors: dict[str, Author] = {**new, **await _keys_of(foresight, User, wanted)}
        return cls(foresight, rows, stored, authors, {**known, **await _keys_of(foresight, Post, above)})

    def foresee(self, records: Sequence[PostRecord]) -> Written:
        """Hold posts of distinct external ids against what is stored, or what those before would leave.

        A post can refer to those read before it, as in the writer: there too rows are inserted in this order.
        """
        foresight, keys = self.foresight, [record.external_id for record in records]
        seen = {key: State(*state) for key, state in foresight.foreseen.of("posts", keys).items()}
        before = {key: self.stored[key] for key in keys if key in self.stored} | seen
        self._learn_parents(records, seen)
        after = dict[str, State]()
        for record in records:
            key = record.external_id
            after[key] = self._state_after(record)
            foresight.movements.move(_figures(before.get(key)), _figures(after[key]))
            if key not in before and foresight.has_keys_before_insert:
                self.parents[key] = key
        met = {key: self.rows[key] for key in keys if key in self.rows and key not in seen}
        foresight.meet("posts", met, MARK)
        foresight.foreseen.put("posts", after)
        return counted(*({key: state.digest for key, state in some.items()} for some in (before, after)))

    def _learn_parents(self, records: Sequence[PostRecord], seen: Collection[str]) -> None:
        wanted = {r.parent_external_id for r in records if r.parent_external_id} - self.parents.keys()
        known = self.foresight.foreseen.of("posts", wanted).keys() | set(seen)
        self.parents.update((key, key) for key in known - self.parents.keys())

    def _state_after(self, record: PostRecord) -> State:
        author = self.authors.get(record.author_external_id or "")
        parent = self.parents.get(record.parent_external_id or "")
        given = GIVEN | {"author_id": author, "parent_id": parent}
        return state_of(values_of(record, COLUMNS, given), record.tags)


async def _keys_of(
    foresight: Foresight, model: type[User | Post], external_ids: Collection[str]
) -> dict[str, int]:
    """Map those of the external ids that the site has to primary keys."""
    rows = await stored_rows(foresight.session, model, foresight.site, external_ids, ())
    return {key: row_id for key, (row_id, _) in rows.items()}


def _new_authors(foresight: Foresight, external_ids: Collection[str]) -> dict[str, str]:
    """Map those of the external ids whose users would be inserted to themselves."""
    states = foresight.foreseen.of("users", external_ids)
    return {key: key for key, (is_new, *_) in states.items() if is_new}


def _linked(state: State, new_author: str | None) -> State:
    """Give a stored post that waits for its author to the one who comes: planning them has counted it so."""
    return state._replace(author=new_author) if state.author is None and new_author else state


def _figures(state: State | None) -> tuple[Author, int] | None:
    return state and (state.author, state.score)
