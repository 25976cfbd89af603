from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.sources.opening import find_files, inspect, read
from jobs.sources.record import BadRecord

FOLDER = os.environ.get("STACKEXCHANGE_SITE", "")

pytestmark = pytest.mark.skipif(not FOLDER, reason="STACKEXCHANGE_SITE names no folder with a real dump")


def test_a_real_site_is_read_without_loss_repair_or_surprise() -> None:
    counts = {}
    for entity, path in find_files(Path(FOLDER)).items():
        layout = inspect(path, format="auto", entity=entity)
        with path.open("rb") as stream:
            items = list(read(stream, layout, layout.start))
        assert not [item for item in items if isinstance(item, BadRecord) or item.repairs or item.unknown]
        counts[entity] = len(items)
    assert counts == {"users": 1703, "tags": 94, "posts": 781}
