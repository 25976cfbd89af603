from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "queue-benchmark.md"


@pytest.mark.slow
def test_benchmark_measures_headrace_and_keeps_the_text_around_its_result(tmp_path: Path) -> None:
    document = tmp_path / "result.md"
    text = DOCUMENT.read_text()
    document.write_text(text)
    options = ["--peers", "headrace", "--repeat", "1", "--jobs", "100", "--markdown", str(document)]
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "queue.py", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = document.read_text()
    assert written.startswith(text.partition("<!--")[0])
    assert "| Headrace | " in written
