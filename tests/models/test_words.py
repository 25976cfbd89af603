from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.words import MARKUP, word_count

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


@pytest.mark.parametrize("space", [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()])
@pytest.mark.parametrize("rest", ["", "é", "…", "<b></b>"])
def test_each_white_space_separates_words(space: str, rest: str) -> None:
    assert word_count(f"one{space}two{space}{rest}") == 3 - (rest in {"", "<b></b>"})
