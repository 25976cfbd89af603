"""What became of the row of a record since it was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.verifying.stored import Stored
    from models.run_file import RunFile

Verdict = Literal["as_loaded", "superseded", "changed_since", "by_hand", "missing", "wrong"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def judged(
    row: Stored | None, said: int, file: RunFile, position: int, own: Mapping[int, RunFile]
) -> Verdict:
    """Judge the row of a record of digest `said` at a place of a file, which is one of the run's `own`.

    A row is `superseded` by a later record of the run that has the same key, `changed_since` by another run,
    `by_hand` or not at all. It is wrong if it names this record, or one before it, and holds something else.
    """
    if row is None:
        return "missing"
    is_same = row.digest == said
    by = own.get(row.file_id or 0)
    if by is not None and not _is_up_to(by, row.position or 0, file, position):
        return "superseded"
    if is_same:
        return "as_loaded"
    if by is not None:
        return "wrong" if by.run_id == file.run_id else "superseded"  # parts of a run have no order
    return "by_hand" if row.file_id is None else "changed_since"


def _is_up_to(by: RunFile, position: int, file: RunFile, end: int) -> bool:
    """Tell whether a record does not come after another of the same run; nothing is known of other parts."""
    return by.run_id != file.run_id or (by.number, position) <= (file.number, end)
