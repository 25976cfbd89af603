"""dlt: `python -m bench.loaders.dlt URL FILE [FORMAT]` prints its seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.parse import quote

import dlt
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.sources.filesystem import filesystem, read_jsonl
from sqlalchemy import make_url


def main(url: str, path: str, loader_format: str | None = None) -> dict[str, float]:
    """Read the file by dlt's own reader, in the loader's own format unless another is named."""
    file = Path(path)
    posts = filesystem(bucket_url=str(file.parent), file_glob=file.name) | read_jsonl()
    pipeline = dlt.pipeline(
        f"bench_{time.time_ns()}",
        pipelines_dir=str(file.parent / "dlt"),
        destination=dlt.destinations.postgres(_credentials(url)),
        dataset_name="loaded",
    )
    began = time.perf_counter()
    pipeline.run(posts.with_name("posts"), loader_file_format=loader_format).raise_on_failed_jobs()
    return {"seconds": time.perf_counter() - began}


def _credentials(url: str) -> PostgresCredentials:
    parsed = make_url(url)
    credentials = PostgresCredentials()
    credentials.username, credentials.database = parsed.username, parsed.database
    credentials.host = quote(str(parsed.query["host"]), safe="")
    credentials.password = "unused"  # dlt wants one; the embedded PostgreSQL trusts its socket
    credentials.resolve()
    return credentials


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
