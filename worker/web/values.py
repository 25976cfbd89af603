"""The values that data comes in: what the columns take, checked before they reach the database."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path
from fastapi.openapi.models import Example
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from jobs.keepable import keepable
from models.post import Post
from models.tag import Tag
from models.user import User

MOST_WORDS_BYTES = 1024 * 1024


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("too far away for a calendar") from error


Keepable = AfterValidator(keepable)
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Key = Annotated[int, Path(ge=1, le=2**63 - 1)]
Id64 = Annotated[int, Field(ge=1, le=2**63 - 1)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
ExternalId = Annotated[
    str, StringConstraints(min_length=1, max_length=User.external_id.type.length), Keepable
]
Name = Annotated[str, StringConstraints(max_length=User.name.type.length), Keepable]
Email = Annotated[str, StringConstraints(max_length=User.email.type.length), Keepable]
Title = Annotated[str, StringConstraints(max_length=Post.title.type.length), Keepable]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=Post.kind.type.length), Keepable]
Content = Annotated[str, StringConstraints(max_length=MOST_WORDS_BYTES), Keepable]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=Tag.name.type.length), Keepable]
Part = Annotated[str, StringConstraints(min_length=1, max_length=255), Keepable]


def example(summary: str, value: dict[str, Any]) -> dict[str, Example]:
    """Make the example of a body."""
    return {"example": {"summary": summary, "value": value}}
