"""Where files may lie that are named over HTTP: a token must not open the worker's whole disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.loading import local_path
from worker.web.problems import UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.requests import Request
    from worker.settings import Settings

# The fields of requests that name files: those that are read, and those that are written.
READ = ("url", "urls")
WRITTEN = ("path",)


def uploads_of(settings: Settings) -> Path:
    """Give the folder of uploads."""
    return settings.home.resolve() / "uploads"


def exports_of(settings: Settings) -> Path:
    """Give the folder of exports."""
    return settings.home.resolve() / "exports"


def within_folders(request: Request, settings: Settings) -> Request:
    """Give the request with its files named as they are, without links and dots.

    Raises:
        UnprocessableError: a file lies outside of the folders that are allowed.

    """
    readable = (uploads_of(settings), *settings.import_folders)
    writable = (exports_of(settings), *settings.export_folders)
    changed = {}
    for names, folders in ((READ, readable), (WRITTEN, writable)):
        for name in names:
            if (value := getattr(request, name, None)) is not None:
                changed[name] = _each_within(value, folders)
    return request.model_copy(update=changed)


def _each_within(value: Any, folders: Sequence[Path]) -> Any:
    if isinstance(value, str):
        return _within(value, folders)
    return tuple(_within(each, folders) for each in value)


def _within(named: str, folders: Sequence[Path]) -> str:
    path = local_path(named)
    try:
        real = path.resolve() if path.is_absolute() else None
    except (OSError, RuntimeError, ValueError):  # links in a circle, or a name that no disk takes
        real = None
    if real is None or not any(real.is_relative_to(folder.resolve()) for folder in folders):
        allowed = ", ".join(map(str, folders))
        raise UnprocessableError(f"{named}: must be an absolute path inside of {allowed}.")
    return str(real)
