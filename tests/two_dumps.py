"""Two dumps of one site, of which the second has what a year may bring: rows that are new, changed, gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from worker.sample import write_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Change = Callable[[int, bytes], bytes | None]

USERS, POSTS = 60, 600
NAMED_ONCE = b'  <row Id="901" TagName="named-once" Count="0" />\r\n'
SHORT_LIVED = b"&lt;short-lived&gt;"


def write_two_dumps(folder: Path) -> tuple[Path, Path]:
    """Write folders with Users, Tags and Posts, dirty ones: some rows need repair or are rejected."""
    first, second = folder / "first", folder / "second"
    write_sample(first, users=USERS, posts=POSTS, seed=11, dirty=True)
    second.mkdir()
    _rewrite(first / "Posts.xml", first / "Posts.xml", _with_a_short_lived_tag)
    for name, change in (("Users", _later_user), ("Posts", _later_post), ("Tags", _later_tag)):
        _rewrite(first / f"{name}.xml", second / f"{name}.xml", change)
    _rewrite(first / "Tags.xml", first / "Tags.xml", lambda number, row: row + NAMED_ONCE * (number == 3))
    return first, second


def cut(source: Path, target: Path, share: float) -> Path:
    """Write the first lines of a file, so that it ends where a row does."""
    lines = source.read_bytes().splitlines(keepends=True)
    target.write_bytes(b"".join(lines[: int(len(lines) * share)]))
    return target


def _rewrite(source: Path, target: Path, change: Change) -> None:
    lines = source.read_bytes().splitlines(keepends=True)
    target.write_bytes(b"".join(_changed(lines, change)))


def _changed(lines: list[bytes], change: Change) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if line.startswith(b"  <row "):
            yield change(number, line) or b""
        else:
            yield line


def _with_a_short_lived_tag(number: int, row: bytes) -> bytes:
    """Give a tag of their own to posts that are gone in the second dump."""
    return row.replace(b' Tags="', b' Tags="' + SHORT_LIVED, 1) if _is_gone(number) else row


def _is_gone(number: int) -> bool:
    return number % 10 == 1


def _again(row: bytes) -> bytes:
    """Make a row of another id."""
    return re.sub(rb' Id="(-?\d+)"', lambda found: b' Id="70%d"' % abs(int(found[1])), row, count=1)


def _later_user(number: int, row: bytes) -> bytes | None:
    match number % 10:
        case 1 | 7:
            return None
        case 3:
            return row.replace(b' DisplayName="', b' DisplayName="The former ')
        case 5:
            return row + _again(row)
    return row


def _later_post(number: int, row: bytes) -> bytes | None:
    if _is_gone(number):
        return None
    changes: dict[int, tuple[bytes, Any]] = {
        2: (rb' Score="-?\d', b' Score="7'),
        # To a neighbour, who may be gone, or new.
        3: (rb'OwnerUserId="(\d+)"', lambda owner: b'OwnerUserId="%d"' % (int(owner[1]) + 1)),
        4: (rb'OwnerUserId="\d+"', b'OwnerDisplayName="somebody"'),
        5: (rb' Tags="&lt;', b' Tags="&lt;new-%d&gt;&lt;' % (number % 4)),
        8: (rb' ParentId="\d+"', b' ParentId="1"'),
    }
    row = re.sub(*changes[number % 10], row) if number % 10 in changes else row
    return row + _again(row) if number % 10 == 6 else row


def _later_tag(number: int, row: bytes) -> bytes | None:
    return None if number % 4 == 1 else row
