"""The document that states the promises names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
LINK = re.compile(r"\[`(test_\w+)`\]\(([^)]+)\)")


def test_every_test_that_a_promise_names_exists() -> None:
    named = LINK.findall(DOCUMENT.read_text())
    assert len(named) > 20
    assert [link for link in named if link[0] not in promised_in(DOCUMENT.parent / link[1])] == []


def test_every_promise_names_a_test() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.+) \|$", DOCUMENT.read_text().split("\n## ")[0], re.MULTILINE)
    assert [row for row in rows if not LINK.search(row)] == []


def promised_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
