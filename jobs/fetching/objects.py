"""From an object store into a file, by fsspec."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobs.fetching.errors import FetchError, PlaceRefusedError
from jobs.fetching.places import scheme_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.fetching.part import Part
    from jobs.fetching.threads import Ending

BLOCK_BYTES = 8 * 1024 * 1024
# What stores say of a version, the surest first.
VERSIONS = ("ETag", "etag", "generation", "md5Hash", "LastModified", "last_modified", "mtime", "created")


class StoredObject:
    """One object. Its methods block."""

    def __init__(self, url: str) -> None:
        """Find it.

        Raises:
            PlaceRefusedError: there is none, or a package is missing.
            FetchError: the store does not answer.

        """
        self.url = url
        self._system, self._path = self._opened()
        info = self._info()
        self.size = int(info.get("size") or 0)
        said = next((str(info[name]) for name in VERSIONS if info.get(name)), "")
        self.validator = f"{said} {self.size}" if said else ""

    def fetch(self, part: Part, most_bytes: int, ending: Ending, report: Callable[[int, int], None]) -> None:
        """Write the rest of it; `report` is told how many bytes are there, and of how many.

        Raises:
            PlaceRefusedError: it is too large.
            FetchError: it broke off.

        """
        if not part.validator or part.validator != self.validator or part.size > self.size:
            part.begin(self.validator)
        if self.size > most_bytes:
            problem = f"is larger than {most_bytes:,} bytes"
            raise PlaceRefusedError(self.url, problem, "HEADRACE_FETCH_BYTES allows more")
        try:
            self._copy(part, ending, report)
        except OSError as error:
            raise FetchError(self.url, str(error) or type(error).__name__) from error
        if part.size != self.size:
            raise FetchError(self.url, f"{part.size:,} bytes came instead of {self.size:,}")

    def _copy(self, part: Part, ending: Ending, report: Callable[[int, int], None]) -> None:
        with self._system.open(self._path, "rb", block_size=BLOCK_BYTES) as stream:
            stream.seek(part.size)
            while part.size < self.size and (data := stream.read(min(BLOCK_BYTES, self.size - part.size))):
                part.write(data)
                ending.look()
                report(part.size, self.size)

    def _opened(self) -> tuple[Any, str]:
        try:
            fsspec = import_module("fsspec.core")
            system, path = fsspec.url_to_fs(self.url, skip_instance_cache=True)  # which may list what is gone
        except ImportError as error:
            advice = f"install headrace[objects]{PACKAGES.get(scheme_of(self.url), '')}"
            raise PlaceRefusedError(self.url, "is read by a package that is not installed", advice) from error
        except ValueError as error:
            raise PlaceRefusedError(self.url, str(error), "check the URL") from error
        return system, path

    def _info(self) -> dict[str, Any]:
        try:
            info: dict[str, Any] = self._system.info(self._path)
        except FileNotFoundError as error:
            raise PlaceRefusedError(self.url, "there is no such object", "check the URL") from error
        except PermissionError as error:
            raise PlaceRefusedError(self.url, "may not be read", "check the credentials") from error
        except OSError as error:
            raise FetchError(self.url, str(error) or type(error).__name__) from error
        if info.get("type") == "directory":
            raise PlaceRefusedError(self.url, "is a folder", "name the objects one by one")
        return info


PACKAGES = {
    "s3": " and s3fs",
    "gs": " and gcsfs",
    "gcs": " and gcsfs",
    "az": " and adlfs",
    "abfs": " and adlfs",
    "abfss": " and adlfs",
}
