"""Where files may lie that are named over HTTP: a token must not open the worker's disk and network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.fetching.places import is_local, local_path, shown
from jobs.fetching.rules import Rules
from worker.web.problems import UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
        InputError: a URL is of no kind that can be read.
        UnprocessableError: a file lies outside of the folders and hosts that are allowed.

    """
    readable = (uploads_of(settings), *settings.import_folders)
    writable = (exports_of(settings), *settings.export_folders)
    changed = {}
    for name in READ:
        if (value := getattr(request, name, None)) is not None:
            changed[name] = _each(value, lambda url: _readable(url, readable, settings))
    for name in WRITTEN:
        if (value := getattr(request, name, None)) is not None:
            changed[name] = _each(value, lambda path: _within(path, writable))
    return request.model_copy(update=changed)


def _each(value: Any, check: Callable[[str], str]) -> Any:
    return check(value) if isinstance(value, str) else tuple(map(check, value))


def _readable(url: str, folders: Sequence[Path], settings: Settings) -> str:
    """Give a path as it is, or a URL on a host that is listed."""
    if is_local(url):
        return _within(url, folders)
    if not Rules(settings.import_hosts).lists(url):
        raise UnprocessableError(f"{shown(url)}: must be on a host of HEADRACE_IMPORT_HOSTS.")
    return url


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
