"""pgloader: `python -m bench.loaders.pgloader URL FILE` prints its seconds as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import make_url

from bench.loading.files import NAMED_COLUMNS

COMMAND = """
LOAD CSV FROM '{path}' ({columns})
INTO postgresql://headrace@unix:{host}:5432/{database}?loaded ({columns})
WITH skip header = 1, fields optionally enclosed by '"', fields escaped by double-quote,
  fields terminated by ','
BEFORE LOAD DO $$ CREATE TABLE loaded (
  external_id text, author_external_id text, author_name text, parent_external_id text, kind text,
  title text, content text, score int, created_at timestamptz, tags text) $$;
"""


def main(url: str, path: str) -> dict[str, float]:
    """Load the file as its reference for CSV says."""
    parsed = make_url(url)
    load = Path(path).with_suffix(".load")
    load.write_text(
        COMMAND.format(path=path, columns=NAMED_COLUMNS, host=parsed.query["host"], database=parsed.database)
    )
    began = time.perf_counter()
    subprocess.run(["pgloader", "--quiet", str(load)], check=True, stdout=sys.stderr)
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
