"""What the records read so far would have left in the tables, kept on disk so that any number fits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.msgpack import Decoder, Encoder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jobs.sources.record import Entity

# SQLite keeps so much of its private temporary file in memory; beyond that it is on disk, in TMPDIR.
CACHE_KIB = 16 * 1024
SETTINGS = (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE")
_encode, _decode = Encoder().encode, Decoder().decode


class Foreseen:
    """Maps the keys of records to the states that their rows would have."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}")
        database.execute(
            "CREATE TABLE foreseen (entity TEXT, key TEXT, state BLOB, PRIMARY KEY (entity, key))"
            " WITHOUT ROWID"
        )

    def of(self, entity: Entity, keys: Collection[str]) -> dict[str, tuple[Any, ...]]:
        """Give the states of those of the keys that a record had before."""
        query = "SELECT key, state FROM foreseen WHERE entity = ? AND key IN (SELECT value FROM json_each(?))"
        found = self._database.execute(query, (entity, json.dumps(list(keys))))
        return {key: tuple(_decode(state)) for key, state in found}

    def put(self, entity: Entity, states: Mapping[str, tuple[Any, ...]]) -> None:
        """Remember the states of keys, in place of those from before."""
        rows = [(entity, key, _encode(states[key])) for key in sorted(states)]
        self._database.executemany("INSERT OR REPLACE INTO foreseen VALUES (?, ?, ?)", rows)


@contextmanager
def foreseeing() -> Iterator[Foreseen]:
    """Open an empty one; nothing is left of it afterwards. It may be used in one thread after another."""
    # Without a name it is a file that SQLite has deleted already.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as database:
        yield Foreseen(database)
