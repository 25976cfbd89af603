"""A service that has only Redis asks for a job with plain arq, by name and with JSON arguments.

It needs arq, nothing of Headrace. Run it with REDIS_URL set to the one the workers use:

    python examples/enqueue_with_plain_arq.py posts.jsonl --site beer

The run begins to exist when a worker reads the message. Until then only Redis knows of it, and arq lets
a message expire after 24 hours. Where that is not enough, see plain_script.py.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

from arq.connections import RedisSettings, create_pool

QUEUE = "headrace"  # HEADRACE_QUEUE of the workers


def to_json(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


async def main(path: Path, site: str) -> None:
    redis = await create_pool(
        RedisSettings.from_dsn(os.environ["REDIS_URL"]),
        job_serializer=to_json,
        job_deserializer=json.loads,
        default_queue_name=QUEUE,
    )
    job = await redis.enqueue_job("import_posts", url=str(path), site=site)
    if job is None:
        raise SystemExit("a job with this id is in Redis already")
    print(f"asked for import_posts; `headrace run {job.job_id}` shows it once a worker has read the message")
    await redis.aclose(close_connection_pool=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask for the import of a file of posts through Redis alone.")
    parser.add_argument("path", type=Path, help="a file of posts that the worker can read")
    parser.add_argument("--site", default="example")
    arguments = parser.parse_args()
    # The worker may run in another folder, so that only an absolute path means the same file there.
    asyncio.run(main(arguments.path.resolve(), arguments.site))
