"""A daemon's log file: where it complains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMPLAINT = re.compile(r"(?:FATAL|PANIC|error|ERR\w*|# \w.*(?:Can't|Failed|failed)).*", re.MULTILINE)
LONGEST_CHARACTERS = 200


def size(log: Path) -> int:
    """Return the log's size in bytes; zero if there is none yet."""
    return log.stat().st_size if log.exists() else 0


def complaint(log: Path, *, since: int) -> str:
    """Return the first line at or after a byte offset that tells of a failure, without its time stamp."""
    with log.open("rb") as file:
        file.seek(since)
        text = file.read().decode(errors="replace")
    found = COMPLAINT.search(text)
    return found.group()[:LONGEST_CHARACTERS].strip() if found else "no reason in its log"
