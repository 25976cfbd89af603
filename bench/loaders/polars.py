"""polars with ADBC: `python -m bench.loaders.polars URL FILE` prints its seconds as JSON."""

from __future__ import annotations

import json
import sys
import time

import polars as pl


def main(url: str, path: str) -> dict[str, float]:
    """Read the file whole and write it by the engine that copies."""
    began = time.perf_counter()
    frame = pl.read_csv(path, try_parse_dates=True)
    frame.write_database("loaded", url, engine="adbc")
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
