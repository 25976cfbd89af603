"""A service that has no files sends what has just happened: a user, and the post that they wrote.

Where HEADRACE_URL is set it asks over HTTP, with `headrace-client`:

    export HEADRACE_URL=http://127.0.0.1:8000 HEADRACE_TOKEN=hr_…
    python examples/send_records.py "Hops or malt?" --site example

Elsewhere it asks in a transaction of its own, with `headrace-client[session]`:

    export DATABASE_URL=postgresql://… REDIS_URL=redis://…
    python examples/send_records.py "Hops or malt?" --site example
"""

import argparse
import asyncio
import os
from datetime import UTC, datetime
from uuid import uuid4

from headrace_client import HeadraceClient, ImportRecords, open_client


def what_happened(title: str, site: str) -> ImportRecords:
    """The fields are those of JSON Lines; at most 1,000 records and 1 MiB."""
    now = datetime.now(UTC)
    post = {"external_id": uuid4().hex, "author_external_id": "ada", "title": title, "created_at": now}
    return ImportRecords(
        site=site,
        users=[{"external_id": "ada", "name": "Ada", "created_at": now}],
        posts=[post | {"kind": "question", "content": f"<p>{title}</p>", "tags": ["brewing"]}],
    )


async def over_http(request: ImportRecords) -> None:
    async with HeadraceClient(os.environ["HEADRACE_URL"], os.environ.get("HEADRACE_TOKEN")) as headrace:
        run = await headrace.wait((await headrace.enqueue(request)).run_id)
        print(f"run {run.run_id} has {run.state}: {run.inserted} inserted, {run.rejected} rejected")


async def through_the_database(request: ImportRecords) -> None:
    async with open_client(os.environ["DATABASE_URL"], os.environ.get("REDIS_URL")) as headrace:
        run_id = await headrace.enqueue(request)  # with `session=`, in a transaction of your own
    print(f"run {run_id} is queued; `headrace run {run_id}` shows how it goes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Send a user and a post.")
    parser.add_argument("title", help="the title of the post")
    parser.add_argument("--site", default="example")
    arguments = parser.parse_args()
    ask = over_http if "HEADRACE_URL" in os.environ else through_the_database
    asyncio.run(ask(what_happened(arguments.title, arguments.site)))
