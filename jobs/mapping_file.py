"""Reading a mapping from its TOML file."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from jobs.mapping import NAMES, FieldMapping, FileForm
from jobs.mapping_values import FORMS
from jobs.sources.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

LARGEST_BYTES = 1024 * 1024


def read_mapping(path: Path) -> FieldMapping:
    """Read a mapping.

    Raises:
        MappingError: there is no such file, it is not TOML, or it says what no mapping can.

    """
    text = _text(path)
    try:
        return FieldMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(path, f"is not TOML: {error}", "mend that place") from error
    except RecursionError as error:
        raise MappingError(path, "is nested too deeply", "write one line for each field") from error
    except ValidationError as error:
        first, *others = [_worded(problem) for problem in error.errors(include_url=False)]
        advice = f"{len(others)} more after that" if others else "mend it and ask again"
        raise MappingError(path, first, advice) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        problem = os.strerror(error.errno or 0).lower()
        raise MappingError(path, f"cannot be read: {problem}", "name a mapping in TOML") from error
    except ValueError as error:  # its bytes, or its path
        raise MappingError(path, "is no UTF-8 text", "name a mapping in TOML") from error
    if len(content) > LARGEST_BYTES:
        raise MappingError(path, "is larger than 1 MiB", "name a mapping in TOML, not the data")
    return text


def _worded(problem: ErrorDetails) -> str:
    """Name the key, and what is wrong with it."""
    keys = [str(key) for key in problem["loc"] if key not in FORMS and "(" not in str(key)]
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        return f"{key!a} is no key of a mapping; {_keys_beside(keys)}"
    if problem["type"] in {"model_type", "model_attributes_type"}:
        return f"{key} is neither a path nor a table"
    said = problem["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return f"{key}: {said}" if key else said


def _keys_beside(keys: list[str]) -> str:
    """Name the keys that may stand where an unknown one does."""
    if keys[0] == "file":
        above = "; the lines of fields belong above [file]" if keys[1] in NAMES else ""
        return f"[file] has {', '.join(FileForm.model_fields)}{above}"
    return f"there are {', '.join(NAMES)} and the table [file]" if len(keys) == 1 else "leave it out"
