"""A script asks for the import of a file of posts and, over HTTP, waits for it.

Over HTTP it needs `headrace-client`. The file is uploaded, so that the workers may be on other hosts:

    export HEADRACE_URL=http://127.0.0.1:8000 HEADRACE_TOKEN=hr_…
    python examples/plain_script.py posts.jsonl --site beer

Where HEADRACE_URL is not set it asks through the database, with `headrace-client[session]`, and the workers
have to find the file under the same path:

    export DATABASE_URL=postgresql://… REDIS_URL=redis://…
    python examples/plain_script.py posts.jsonl --site beer
"""

import argparse
import asyncio
import os
from pathlib import Path

from headrace_client import HeadraceClient, ImportPosts, open_client


async def over_http(path: Path, site: str) -> None:
    async with HeadraceClient(os.environ["HEADRACE_URL"], os.environ.get("HEADRACE_TOKEN")) as headrace:
        upload = await headrace.upload(path)
        asked = await headrace.enqueue(ImportPosts(url=upload.url, site=site))
        run = await headrace.wait(asked.run_id)
        print(f"run {run.run_id} has {run.state}: {run.inserted} inserted, {run.rejected} rejected")
        async for reject in headrace.rejects(run.run_id):
            print(f"at byte {reject.position}: {reject.reason}")


async def through_the_database(path: Path, site: str) -> None:
    async with open_client(os.environ["DATABASE_URL"], os.environ.get("REDIS_URL")) as headrace:
        run_id = await headrace.enqueue(ImportPosts(url=str(path), site=site))
    print(f"run {run_id} is queued; `headrace run {run_id}` shows how it goes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask for the import of a file of posts.")
    parser.add_argument("path", type=Path, help="a file of posts")
    parser.add_argument("--site", default="example")
    arguments = parser.parse_args()
    ask = over_http if "HEADRACE_URL" in os.environ else through_the_database
    asyncio.run(ask(arguments.path.resolve(), arguments.site))
