"""What an import remembers from one batch to the next, so that it asks the database less."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence, Sized

    from jobs.chunks import Chunk
    from jobs.reading_ahead import Ahead, Work
    from jobs.sources.record import Record
    from jobs.writers.new_posts import NewPosts
    from jobs.writers.written import Written

    Commit = Callable[[Chunk], Coroutine[Any, Any, None]]

MOST_KEYS = 20_000


class Keys:
    """Primary keys by external id or name, of the rows that were met last: at most twice MOST_KEYS."""

    def __init__(self, recent: dict[str, int] | None = None, before: dict[str, int] | None = None) -> None:
        self._recent: dict[str, int] = {} if recent is None else recent
        self._before: dict[str, int] = {} if before is None else before

    def as_of_now(self) -> Keys:
        """Give what is remembered now, for a thread: what comes to it may be seen, and nothing goes."""
        return Keys(self._recent, self._before)

    def among(self, external_ids: Collection[str]) -> dict[str, int]:
        """Give those of the keys that are remembered."""
        parts = (self._before, self._recent)
        return {key: part[key] for part in parts for key in external_ids if key in part}

    def missing(self, external_ids: set[str]) -> set[str]:
        """Give those whose keys are not remembered."""
        return external_ids.difference(self._recent).difference(self._before)

    def has_none(self, external_ids: Collection[str]) -> bool:
        """Tell whether none of the keys is remembered."""
        parts = (self._before, self._recent)
        return all(part.keys().isdisjoint(external_ids) for part in parts)

    def keep(self, found: Mapping[str, int]) -> None:
        """Remember keys, and in time forget what was not met since."""
        self._recent |= found
        if len(self._recent) > MOST_KEYS:
            self._before, self._recent = self._recent, {}

    def forget(self) -> None:
        """Remember nothing any more."""
        self._before, self._recent = {}, {}


@dataclass(slots=True)
class Memory:
    """What the batches of one file have found and inserted; it is right as long as all of them committed.

    A remembered row may be deleted meanwhile. Its foreign key refuses whatever names it then, and the batch
    is tried again without memory.
    """

    chunks: Ahead[Chunk] | None = None
    """Where the batches come from, if the next may be made ready while one is written."""
    users: Keys = field(default_factory=Keys)
    posts: Keys = field(default_factory=Keys)
    tags: Keys = field(default_factory=Keys)
    expects_new: bool | None = None
    """Whether all records of the batch before were new: then nobody asks which of the next are there already.
    The unique key refuses those that are, and the batch is tried again. None before the first batch."""
    _was_wrong: bool = False
    _chunk: Chunk | None = None
    _ready: tuple[Sequence[Record], Work[NewPosts | None]] | None = None

    def learn(self, written: Written, records: Sized) -> None:
        """Take the outcome of a batch for that of the next."""
        self.expects_new = written.inserted == len(records) and not self._was_wrong

    def following(self, commit: Commit) -> Commit:
        """Forget everything when a batch fails to commit, since then nothing that it did is kept."""

        async def followed(chunk: Chunk) -> None:
            self._chunk = chunk
            try:
                await commit(chunk)
            except BaseException:
                self._forget()
                raise

        return followed

    def upcoming_after(self, records: Sequence[Record]) -> Chunk | None:
        """Give what the next batch has, if these are all records of this one and the next has been read."""
        is_whole = self._chunk and self._chunk.records is records
        return self.chunks.upcoming() if self.chunks and is_whole else None

    def lines_of(self, records: Sequence[Record]) -> Callable[[], bytes] | None:
        """Give what these records say, once, if whoever has read them has written it."""
        if self._chunk and self._chunk.records is records and self._chunk.lines:
            return self._chunk.lines.pop
        return None

    def make_ready(self, chunk: Chunk, make: Callable[[], NewPosts | None]) -> None:
        """Make the records of the next batch ready while this one is written."""
        if self.chunks:
            self._ready = (chunk.records, self.chunks.beside(make))

    def ready_for(self, records: Sequence[Record]) -> Work[NewPosts | None] | None:
        """Give records that are being made ready; what was made of others has lost its reason."""
        ready, self._ready = self._ready, None
        return ready[1] if ready and ready[0] is records else None

    def _forget(self) -> None:
        self._ready = None
        self._was_wrong |= bool(self.expects_new)
        self.expects_new = False
        self.users.forget()
        self.posts.forget()
        self.tags.forget()
