"""Texts of requests, which the database must be able to keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def keepable(text: str) -> str:
    """Give a text that the database can keep.

    Raises:
        ValueError: it holds half of a character, or NUL.

    """
    text.encode()  # a name that is not UTF-8 could not be kept in the database: ValueError
    if "\0" in text:
        raise ValueError("holds a NUL character, which neither a database nor a file name takes")
    return text


Text = Annotated[str, AfterValidator(keepable)]
