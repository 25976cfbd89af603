"""Why an input cannot be read as asked; each message names what, where and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


class SourceError(InputError):
    """A file cannot be read as asked."""

    def __init__(self, path: Path, problem: str, advice: str) -> None:
        """Say on one line where the problem is, what it is and what to do about it."""
        said = f"{path}: {problem}; {advice}"  # a path may hold anything, and so do libraries' messages
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in said))


class FileNotReadableError(SourceError):
    """The file does not exist, is no regular file, or may not be read."""


class EmptyFileError(SourceError):
    """The file holds no bytes but white space."""


class UnknownFormatError(SourceError):
    """The content is neither a Stack Exchange dump, JSON Lines nor CSV, or not the format asked for."""


class WrongEncodingError(SourceError):
    """The file is not UTF-8."""


class TruncatedDumpError(SourceError):
    """The dump file ends before its root element is closed."""


class MissingExtraError(SourceError):
    """Reading the format needs packages that are not installed."""


class BrokenStreamError(SourceError):
    """The compressed file is damaged, or ends before its end."""


class BombError(SourceError):
    """What is compressed unpacks to more than is allowed."""


class UnknownEntityError(SourceError):
    """Nothing says whether the file holds users, posts or tags."""


class EntityMismatchError(SourceError):
    """The file holds another entity than the one asked for."""


class UnknownColumnsError(SourceError):
    """The header lacks a column that no record can do without, or has one twice."""


class MappingError(SourceError):
    """A mapping cannot be meant as it is written, or does not fit the file."""


class NoDumpFilesError(SourceError):
    """The folder holds no file named for users, posts or tags."""


class AmbiguousFilesError(SourceError):
    """The folder holds two files for one entity."""


class UnloadableError(Exception):
    """One record breaks a rule; readers turn this into a BadRecord, so it never leaves this package."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason
