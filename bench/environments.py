"""Where the queues are installed: beside Headrace, or alone where their clients refuse ours."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.peers import Peer

VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


class NotInstalledError(Exception):
    """A queue is not installed."""


def python_of(peer: Peer) -> str:
    """Give the Python of a queue's environment; one of its own is made first, inside of ours, if missing."""
    if not peer.alone:
        return sys.executable
    folder = Path(sys.prefix, "alone", peer.name)
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        print(f"installing {', '.join(peer.alone)} into {folder} ...", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *peer.alone], check=True)
        (folder / "made").touch()
    return str(python)


def versions_of(peer: Peer) -> dict[str, str]:
    """Tell the versions of a queue's packages.

    Raises:
        NotInstalledError: one is missing.

    """
    asked = subprocess.run(
        [python_of(peer), "-c", VERSIONS, *peer.packages], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise NotInstalledError(
            f"{peer.title} is not installed here; run `make bench-queue`, or leave it out with --peers"
        )
    versions: dict[str, str] = json.loads(asked.stdout)
    return versions
