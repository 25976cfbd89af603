from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.words import MARKUP, OTHER_SPACES, word_count

PIECES = st.sampled_from(
    ["<", ">", "<p>", '<a href="x y">', " ", "\n", "\x1c", "\xa0", "\u2003", "é", "…", "w"]
)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (None, 0),
        ("", 0),
        ("<p></p>", 0),
        ("one", 1),
        ("<p>one, two</p>\n<a href='a b'>three</a>", 3),
        ("one<br>two", 2),
        ("ein Käse\xa0mehr", 3),
        ("a < b", 3),
    ],
)
def test_words_are_counted_without_markup(content: str | None, count: int) -> None:
    assert word_count(content) == count


@given(st.text() | st.lists(PIECES | st.characters(), max_size=20).map("".join))
def test_any_text_has_as_many_words_as_white_space_separates(content: str) -> None:
    assert word_count(content) == len(MARKUP.sub(" ", content).split())


def test_brackets_that_never_close_are_counted_in_no_time() -> None:
    assert word_count("<" * 1_000_000) == 1
    assert word_count("<" * 1_000_000 + "> w") == 1


def test_all_white_space_beyond_ascii_is_known() -> None:
    spaces = [chr(code) for code in range(128, sys.maxunicode + 1) if chr(code).isspace()]
    assert {space.encode()[0] for space in spaces} == set(OTHER_SPACES)
