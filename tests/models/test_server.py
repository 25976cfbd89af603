"""A server is known by its name, and one that is too old is told what it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.server import LEAST, Server, server_of
from tests.conftest import every_database

if TYPE_CHECKING:
    from worker.resources import Resources


@every_database
async def test_the_server_is_known_once_a_connection_was_made(resources: Resources, backend: str) -> None:
    server = server_of(resources.database.engine)
    assert server.name.lower() == backend
    assert server.complaint is None


@pytest.mark.parametrize(
    ("name", "old", "least"),
    [
        ("MariaDB", (10, 5, 29), "10.6"),
        ("MySQL", (8, 0, 16), "8.0.17"),
        ("PostgreSQL", (12, 22), "13"),
        ("SQLite", (3, 34, 1), "3.35"),
    ],
)
def test_a_server_that_is_too_old_is_named(name: str, old: tuple[int, ...], least: str) -> None:
    complaint = Server(name, old).complaint
    assert complaint is not None
    assert complaint.startswith(name)
    assert complaint.endswith(f"at least {least}")
    assert Server(name, LEAST[name]).complaint is None
