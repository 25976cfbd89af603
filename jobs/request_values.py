"""What the fields of requests may hold."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticSerializationError, to_jsonable_python

from jobs.keepable import keepable


def as_json(records: Any) -> Any:
    """Give records as JSON would bring them.

    Raises:
        ValueError: JSON cannot say what they hold.

    """
    try:
        plain = to_jsonable_python(records)
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
    except (PydanticSerializationError, RecursionError) as error:
        raise ValueError(f"holds what is no JSON: {' '.join(str(error).split())}") from error
    return plain


SiteName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(keepable)
]
NUMBER_OR_SHARE = r"^([0-9]{1,12}|(100|[0-9]{1,2}([.][0-9]{1,6})?)%)$"


def number_or_share(text: str) -> str:
    """Give a number or a percentage as it is.

    Raises:
        ValueError: it is neither.

    """
    if not re.match(NUMBER_OR_SHARE, text):
        raise ValueError("must be a whole number or a percentage up to 100%, like 100 or 2.5%")
    return text


MaxRejects = Annotated[
    str,
    AfterValidator(number_or_share),
    WithJsonSchema({"type": "string", "pattern": NUMBER_OR_SHARE, "examples": ["100", "2.5%"]}),
]
Records = Annotated[tuple[dict[str, Any], ...], BeforeValidator(as_json)]
MOST_RECORDS = 1_000
MOST_RECORDS_BYTES = 1024 * 1024
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Expected = dict[Literal["users", "posts", "tags"], Annotated[int, Field(ge=0, le=2**53)]]
FormatChoice = Literal["auto", "stackexchange", "jsonl", "csv", "parquet"]
WriterChoice = Literal["auto", "add_all", "copy"]
Missing = Literal["keep", "mark", "delete"]
ExportEntity = Literal["users", "posts", "tags", "authors"]
ExportFormat = Literal["jsonl", "csv", "parquet"]
COMPRESSION_ENDINGS = (".gz", ".zst")
QueueName = Literal["default", "bulk"]


class ByteRange(BaseModel):
    """A piece of a file whose records can be read alone, and what the file was when it was cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    start: Annotated[int, Field(ge=0)]
    stop: Annotated[int, Field(ge=0)] | None = None
    """Where the next piece begins; None reads to the end, wherever that is in what is compressed."""
    size: Annotated[int, Field(ge=0)]
    mtime_ns: int
