"""Proposed mappings as people and programs are shown them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobs.sources.proposal import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.proposal import Proposal

DELETE = "\N{DELETE}"


def document_of(proposal: Proposal) -> dict[str, Any]:
    """Give a proposal as a document; its mapping is null if a field is missing that every record needs."""
    mapping = None if proposal.missing else proposal.mapping.model_dump(mode="json", exclude_defaults=True)
    return {
        "file": proposal.path.name,
        "entity": proposal.entity,
        "mapping": mapping,
        "why": {line.key: line.why for line in proposal.lines},
        "missing": proposal.missing,
        "left": {written(seen.path): f"{seen.looks}, like {seen.example}" for seen in proposal.left},
        "records": proposal.records,
        "loadable": proposal.loadable,
    }


def toml_of(proposal: Proposal) -> str:
    """Give a proposal as the TOML of its mapping, with comments."""
    return "\n".join([*_head(proposal), *_fields(proposal), *_left(proposal), "", *_file(proposal), ""])


def _head(proposal: Proposal) -> Iterator[str]:
    yield f"# A mapping for {proposal.path.name!a}, guessed from its first {proposal.records} records;"
    yield f"# {proposal.loadable} of them can be loaded by it. Look through it, then:"
    yield "# headrace import FILE --site NAME --map THIS.toml"
    yield ""


def _fields(proposal: Proposal) -> Iterator[str]:
    for line in proposal.lines:
        yield f"{line.key} = {_value(line.said)}  # {line.why}"
    for name in proposal.missing:
        yield f'# {name} = "path"  # nothing looks like it, but every record needs it'


def _left(proposal: Proposal) -> Iterator[str]:
    if proposal.left:
        yield ""
        yield "# Not mapped, and counted as unknown:"
    for seen in proposal.left:
        yield f"# {_line(written(seen.path))}: {seen.looks}, like {seen.example}"


def _file(proposal: Proposal) -> Iterator[str]:
    yield "[file]"
    for key, value in proposal.form.items():
        yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    """Write a value of TOML: a text, a list of texts, or a table in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace(DELETE, "\\u007f")


def _line(text: str) -> str:
    return text if text.isprintable() else ascii(text)
