"""What C code does where it was compiled (see native/); None where only Python can do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

word_count: Callable[[str | None], int] | None
encode_rows: Callable[[Sequence[tuple[Any, ...]], str], list[bytes]] | None

try:
    from models import _native
except ImportError:
    word_count = encode_rows = None
else:
    word_count, encode_rows = _native.word_count, _native.encode_rows

IS_COMPILED = encode_rows is not None
