"""Another service writes a row of its own and asks Headrace for a job in the same transaction.

Run it with DATABASE_URL and REDIS_URL set to the ones the workers use, on a migrated database:

    python examples/enqueue_from_a_service.py posts.jsonl --site beer

The service's table is `example_uploads`; the example makes it where it is missing.
"""

import argparse
import asyncio
import os
from pathlib import Path

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jobs.client import open_client
from jobs.requests import ImportPosts
from models.database import async_url


class ServiceBase(DeclarativeBase):
    """The tables of the service; they have nothing to do with those of Headrace."""


class Upload(ServiceBase):
    """A file that somebody gave to the service."""

    __tablename__ = "example_uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    run_id: Mapped[str | None]


async def main(path: Path, site: str) -> None:
    database_url = os.environ["DATABASE_URL"]
    engine = create_async_engine(async_url(database_url))
    async with engine.begin() as connection:
        await connection.run_sync(ServiceBase.metadata.create_all)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async with open_client(database_url, os.environ.get("REDIS_URL")) as client:
        async with sessions.begin() as session:
            upload = Upload(path=str(path))
            session.add(upload)
            await session.flush()
            # The run exists if and only if the upload does. The key makes a second ask for the same
            # upload return the first run.
            run_id = await client.enqueue(
                ImportPosts(url=str(path), site=site), session=session, unique_key=f"upload {upload.id}"
            )
            upload.run_id = str(run_id)
        print(f"upload {upload.id} is committed; `headrace run {run_id}` shows how its import goes")
    await engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Record an upload of posts and ask for its import.")
    parser.add_argument("path", type=Path, help="a file of posts that the worker can read")
    parser.add_argument("--site", default="example")
    arguments = parser.parse_args()
    # The worker may run in another folder, so that only an absolute path means the same file there.
    asyncio.run(main(arguments.path.resolve(), arguments.site))
