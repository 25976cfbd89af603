"""A few of the trials that `make fuzz` makes for minutes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.jobs.sources.trials import TRIALS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", TRIALS)
def test_made_up_bytes_break_no_reader(tmp_path: Path, name: str) -> None:
    for seed in range(40):
        TRIALS[name](Random(seed), tmp_path)
