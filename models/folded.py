"""Comparing text without regard to case, the same way on every database.

Every character is lowered by itself (Unicode's simple mapping), accents stay: `É` finds `é` and not `e`,
`İ` finds `i`, `ß` does not find `ss`. PostgreSQL does so for the locale of its database, and for ASCII
alone if that is `C`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.sql.compiler import SQLCompiler

    Text = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]

ESCAPE = "/"


class Folded(FunctionElement[str]):
    """A text in lower case, compared byte for byte."""

    type = String()
    inherit_cache = True


@compiles(Folded)
def _standard(element: Folded, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(Folded, "mysql", "mariadb")
def _mysql(element: Folded, compiler: SQLCompiler, **kw: Any) -> str:
    # The collations that MySQL takes for names by default do not tell é from e.
    return f"(lower({compiler.process(element.clauses, **kw)}) COLLATE utf8mb4_bin)"


def contains(column: Text, part: str) -> ColumnElement[bool]:
    """Tell whether a text contains another; `%` and `_` in it mean themselves."""
    return Folded(column).like(Folded(f"%{_literal(part)}%"), escape=ESCAPE)


def starts_with(column: Text, beginning: str) -> ColumnElement[bool]:
    """Tell whether a text begins with another; `%` and `_` in it mean themselves."""
    return Folded(column).like(Folded(f"{_literal(beginning)}%"), escape=ESCAPE)


def equals(column: Text, value: str) -> ColumnElement[bool]:
    """Tell whether a text is another but for case."""
    return Folded(column) == Folded(value)


def _literal(text: str) -> str:
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return text


def lowered(text: object) -> str | None:
    """Lower a text as the other databases do; SQLite gets it in place of its own `lower`, which knows ASCII.

    Python's `str.lower` would make two characters of `İ`, and look at its neighbours to lower a `Σ`.
    """
    return None if text is None else "".join(map(str.lower, str(text).replace("İ", "i")))
