"""Where a source lies, told by its URL, and how that is shown."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from jobs.errors import InputError

WEB = ("http", "https")
OBJECT_STORES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "memory")
HIDDEN = "***"
MOST_NAME_CHARS = 100


def scheme_of(url: str) -> str:
    """Give what stands before `://`, or nothing for a path.

    Raises:
        InputError: URLs of this kind cannot be read.

    """
    before, found, _ = url.partition("://")
    scheme = before.lower() if found else ""
    if scheme and scheme not in ("file", *WEB, *OBJECT_STORES):
        known = ", ".join(("file", *WEB, *OBJECT_STORES))
        raise InputError(
            f"{shown(url)}: cannot be read; give a path, or a URL that begins with one of {known}"
        )
    # fsspec reads what follows :: as another place, which may be a file of this host.
    if scheme in OBJECT_STORES and "::" in url:
        raise InputError(f"{shown(url)}: URLs with :: are not read; name the object itself")
    return scheme


def is_local(url: str) -> bool:
    """Tell whether it is a path or a file:// URL.

    Raises:
        InputError: URLs of this kind cannot be read.

    """
    return scheme_of(url) in ("", "file")


def local_path(url: str) -> Path:
    """Turn a path or a file:// URL into a path.

    Raises:
        InputError: the URL is of another kind, or none.

    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{shown(url)}: {error}") from error
    if not is_local(url):
        raise InputError(f"{shown(url)}: is no file of this host; give a path")
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)


def shown(url: str) -> str:
    """Give a URL without what may be a secret: user, password, the values of its query; a path as it is."""
    if "://" not in url or url.startswith("file://"):
        return url
    try:
        parts = urlsplit(url)
        query = urlencode(
            [(name, HIDDEN) for name, _ in parse_qsl(parts.query, keep_blank_values=True)], safe="*"
        )
    except ValueError:
        return f"{url.partition('://')[0]}://{HIDDEN}" if {"@", "?"} & {*url} else url
    user, found, host = parts.netloc.rpartition("@")
    netloc = f"{HIDDEN}@{host}" if found and user else host
    return parts._replace(netloc=netloc, query=query or (parts.query and HIDDEN), fragment="").geturl()


def file_name(url: str) -> str:
    """Give the name of the file that a URL names, as any disk takes it; it may tell format and entity."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[-MOST_NAME_CHARS:].lstrip(".") or "source"
