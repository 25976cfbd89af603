"""Where a file of the spool comes from."""

from __future__ import annotations

from typing import NamedTuple


class Original(NamedTuple):
    """The source as it may be shown, and what says on any host which version of it this is."""

    shown: str
    version: str
