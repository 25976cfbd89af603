"""Answers are read as what they should be; a proxy may answer in Headrace's stead, and well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from headrace_client.errors import UnreadableError

if TYPE_CHECKING:
    import httpx

Document = TypeVar("Document", bound=BaseModel)


class Items(BaseModel):
    """A list, or a page of one."""

    items: list[Any]
    next: str | None = None


def document_of(response: httpx.Response, kind: type[Document]) -> Document:
    """Read the document of a good answer.

    Raises:
        UnreadableError: it is none of this kind.

    """
    return document_in(response.content, kind)


def document_in(text: str | bytes, kind: type[Document]) -> Document:
    """Read a document.

    Raises:
        UnreadableError: it is none of this kind.

    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise _unreadable(kind, error) from error


def item_of(item: Any, kind: type[Document]) -> Document:
    """Read an item of a list.

    Raises:
        UnreadableError: it is none of this kind.

    """
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        raise _unreadable(kind, error) from error


def _unreadable(kind: type[BaseModel], error: ValidationError) -> UnreadableError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return UnreadableError(f"the answer is no {kind.__name__}: {f'{where}: ' * bool(where)}{first['msg']}")
