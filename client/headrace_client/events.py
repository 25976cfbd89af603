"""Server-sent events: lines in, events out (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


class Event(NamedTuple):
    """One event; ids are not read, as Headrace writes none."""

    name: str
    data: str


async def events_in(lines: AsyncIterable[str]) -> AsyncIterator[Event]:
    """Read events; comments, which keep the connection alive, and an event that is cut off are passed over.

    Unlike a browser, this gives also an event that has a name and no data.
    """
    name, data = "", []
    async for line in lines:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match key:
            case "event":
                name = value
            case "data":
                data.append(value)
            case "" if not line:
                if data or name:
                    yield Event(name or "message", "\n".join(data))
                name, data = "", []
