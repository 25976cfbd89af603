"""A mapping for a file of any shape, from what its fields are called and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.sources.entities import entity_of_name
from jobs.sources.errors import UnloadableError
from jobs.sources.fields import maker_of
from jobs.sources.mapped import mapped
from jobs.sources.matching import Matching
from jobs.sources.names import AUTHOR_OBJECT, NAMES
from jobs.sources.observed import NULL_WORDS, observed, plain
from jobs.sources.proposal import Proposal
from jobs.sources.samples import sample_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.sources.observed import Observed
    from jobs.sources.record import Entity, Format
    from jobs.sources.samples import Sample


def propose(path: Path, entity: Entity | None = None, format_: Format | None = None) -> Proposal:
    """Propose a mapping from the first records of a file.

    Raises:
        SourceError: the file cannot be read, or needs no mapping.

    """
    sample = sample_of(path, format_)
    fields = observed(sample.records)
    chosen = entity or entity_of_name(path.stem) or _entity_of(fields)
    form = {"entity": chosen, **sample.form.model_dump(exclude_defaults=True), **_null_words(fields)}
    proposal = Proposal(path, chosen, form, len(sample.records))
    Matching(fields, proposal).run()
    if not proposal.missing:
        proposal.loadable = _loadable(sample, proposal)
    return proposal


def _entity_of(fields: Sequence[Observed]) -> Entity:
    """Tell users by what only they have, tags by their name alone; all else is posts."""
    own = {seen.name for seen in fields if len(seen.path) == 1}
    telling = {
        name: not own.isdisjoint(NAMES[name]) for name in ("content", "title", "email", "reputation", "name")
    }
    nested = any(plain(step) in AUTHOR_OBJECT for seen in fields for step in seen.path[:-1])
    if telling["content"] or telling["title"] or nested:
        return "posts"
    if telling["email"] or telling["reputation"]:
        return "users"
    if telling["name"]:
        return "users" if not own.isdisjoint(NAMES["external_id"]) else "tags"
    return "posts"


def _null_words(fields: Sequence[Observed]) -> dict[str, Any]:
    found = {word for seen in fields for word in seen.nulls}
    words = [word for word in NULL_WORDS if word in found]
    return {"null": words} if words else {}


def _loadable(sample: Sample, proposal: Proposal) -> int:
    ready = mapped(proposal.mapping, proposal.entity)
    make = maker_of(proposal.entity, ready)
    loaded = 0
    for record in sample.records:
        try:
            make(ready.values(record), 0, 1, b"")
            loaded += 1
        except UnloadableError:
            continue
    return loaded
