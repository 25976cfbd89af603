from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from worker.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.settings import Settings


@pytest.fixture
def terminal(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What a person at a terminal sees of the logs."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    structlog.reset_defaults()
    configure_logs(settings.model_copy(update={"log_format": "console"}))
    yield capsys
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_traceback_in_a_terminal_shows_no_values(terminal: pytest.CaptureFixture[str]) -> None:
    email = "ada@example.com"
    try:
        [].pop(len(email))
    except IndexError:
        structlog.get_logger("headrace.tests").exception("tests.failed")
    said = terminal.readouterr().err
    assert "IndexError: pop" in said
    assert email not in said
