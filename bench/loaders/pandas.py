"""pandas: `python -m bench.loaders.pandas URL FILE` prints its seconds as JSON."""

from __future__ import annotations

import json
import sys
import time

import pandas as pd
from sqlalchemy import create_engine, make_url

ROWS_AT_ONCE = 1_000


def main(url: str, path: str) -> dict[str, float]:
    """Read the file whole and write it in chunks; the default method is the fastest one with psycopg."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    began = time.perf_counter()
    frame = pd.read_csv(path, parse_dates=["created_at"])
    frame.to_sql("loaded", engine, index=False, chunksize=ROWS_AT_ONCE)
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
