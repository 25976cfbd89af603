"""Rejects read once more: from the bytes that were kept, or from the file where these are not the whole."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Any

from jobs.files import LISTED, is_as_it_was, layout_of, noted
from jobs.loading import layouts_of
from jobs.mapping import FieldMapping
from jobs.sources.errors import SourceError
from jobs.sources.opening import opened, read
from jobs.sources.reading import item_of
from jobs.sources.record import BadRecord
from jobs.sources.window import RAW_BYTES
from models.run_file import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.sources.layout import Layout
    from jobs.sources.record import Item
    from models.reject import Reject
    from models.run import Run

# What the JSON of a row does not show: bytes that are no text, and numbers that are none.
NOT_IN_JSON = {"encoding", "number"}


def read_again(
    file: RunFile,
    rejects: Sequence[Reject],
    given: Sequence[Any] = (),
    mapping: FieldMapping | None = None,
) -> list[Item]:
    """Judge rejects of one file anew, in their order; `given` is the list they are from, if it is no file.

    A mapping takes the place of the one that the file was read by.
    What cannot be read again is a bad record still, by the rule that it broke; the reason says why.
    """
    if file.format == LISTED:
        return [item_of_value(given[each.position], each.position, layout_of(file)) for each in rejects]
    if not file.layout:
        reason = f"how {file.path} was read is not known any more, or it has changed; import it again"
        return [_still_bad(reject, reason) for reject in rejects]
    layout = layout_of(file, mapping)
    is_there = is_as_it_was(file)
    places = [each.position for each in rejects if is_there and not _is_all_there(each, layout)]
    in_file = _items_at(layout, places) if places else {}
    return [in_file.get(reject.position) or _kept(reject, layout) for reject in rejects]


def item_of_value(value: Any, place: int, layout: Layout) -> Item:
    """Judge a record of a list, by its place there."""
    return item_of(json.dumps(value, ensure_ascii=False).encode(), place, place + 1, layout)


def former_file(run: Run, reject: Reject) -> RunFile:
    """Describe the file of a reject that a version before had not written down; without layout if it cannot.

    It has no key, so that what it holds is older than any row.
    """
    asked = run.request
    try:
        mapping = FieldMapping.model_validate(asked["mapping"]) if "mapping" in asked else None
        [layout] = layouts_of([reject.source], asked.get("format", "auto"), reject.entity, mapping)  # type: ignore[arg-type]
        file = noted(layout, site=asked["site"], run_id=run.id, root_id=run.id, number=reject.file_number)
        if [file.path, file.size, file.mtime_ns] in (run.checkpoint or {})["files"]:
            return file
    except (SourceError, OSError, KeyError):
        pass
    return RunFile(site=asked["site"], entity=reject.entity, format="", path=reject.source, layout={})


def _items_at(layout: Layout, places: Sequence[int]) -> dict[int, Item]:
    """Read the items that begin at these places, in ascending order, as many as the file gives."""
    found: dict[int, Item] = {}
    items: Iterator[Item]
    wanted = set(places)
    with suppress(SourceError, OSError), opened(layout) as stream:
        # Only in a plain file it costs nothing to pass over what is between.
        if layout.compression is None and layout.format != "parquet":
            items = chain.from_iterable(islice(read(stream, layout, place), 1) for place in places)
        else:
            items = takewhile(lambda item: item.offset <= places[-1], read(stream, layout, places[0]))
        found.update((item.offset, item) for item in items if item.offset in wanted)
    return found


def _is_all_there(reject: Reject, layout: Layout) -> bool:
    """Tell whether the bytes that were kept are the record's, to the last."""
    return layout.format != "parquet" and _length(reject) == len(reject.raw)


def _kept(reject: Reject, layout: Layout) -> Item:
    """Judge the bytes that were kept; white space at the end may be missing, and nothing else."""
    if (_length(reject) if layout.format != "parquet" else len(reject.raw) + 1) > RAW_BYTES:
        kept = f"only the first {RAW_BYTES // 1024} KiB of the record were kept"
        return _still_bad(reject, f"{kept}, and {reject.source} is not there as it was; import it again")
    if layout.format == "parquet" and reject.rule in NOT_IN_JSON:
        kept = "what is wrong with the row does not show in its JSON"
        return _still_bad(reject, f"{kept}, and {reject.source} is not there as it was; import it again")
    return item_of(reject.raw, reject.position, reject.position + _length(reject), layout)


def _length(reject: Reject) -> int:
    """Say how long the record is; of rejects of versions before, only that it is no shorter is known."""
    if reject.next_position is None:
        return len(reject.raw) + 1
    return reject.next_position - reject.position


def _still_bad(reject: Reject, reason: str) -> BadRecord:
    where = {"offset": reject.position, "end": reject.position + _length(reject)}
    return BadRecord(**where, raw=reject.raw, rule=reject.rule, reason=reason)
