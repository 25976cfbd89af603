"""The members of an archive in the spool: all of them or none."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from jobs.fetching.archives import unpack
from jobs.fetching.original import Original

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.fetching.threads import Ending
    from jobs.sources.bounds import Bounds

PRIVATE = 0o700


def unpacked_members(place: Path) -> dict[Path, Original] | None:
    """Give what an earlier attempt has unpacked, with where it comes from."""
    try:
        kept = json.loads((place / "members.json").read_text())
    except FileNotFoundError:
        return None
    return {place / "members" / file: Original(*original) for file, original in kept.items()}


def unpack_members(
    archive: Path, original: Original, place: Path, bounds: Bounds, ending: Ending
) -> dict[Path, Original]:
    """Unpack an archive of that original.

    Raises:
        SourceError: it cannot be unpacked.
        EndedError: nobody waits for it any more.

    """
    folder = place / "members"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=PRIVATE)
    members = unpack(archive, folder, bounds, ending)
    originals = {
        member.path: Original(f"{original.shown}/{member.name}", f"{original.version} {member.name}")
        for member in members
    }
    written = place / "members.json.part"
    written.write_text(json.dumps({path.name: original for path, original in originals.items()}))
    written.rename(place / "members.json")
    return originals
