"""What tests of queries share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.resources import Resources


@pytest.fixture
def statements(resources: Resources) -> Iterator[list[str]]:
    """The statements that the test's database is sent, one after the other."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SET TRANSACTION")):
            sent.append(statement)

    engine = resources.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
