"""Sizes that make a few rows many partitions and checkpoints."""

from __future__ import annotations

import pytest

from jobs import export_rows


@pytest.fixture
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stream seven rows at a time."""
    monkeypatch.setattr(export_rows, "ROWS_PER_PARTITION", 7)


@pytest.fixture
def small_checkpoints(small_partitions: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Commit a checkpoint after each partition, at the latest."""
    monkeypatch.setattr(export_rows, "CHECKPOINT_BYTES", 1)
