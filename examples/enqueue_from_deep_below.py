"""A service handles uploads side by side; functions deep below a task find the task's own session.

It needs `headrace-client[session]` and the driver of the database. Run it with DATABASE_URL (with its driver:
postgresql+asyncpg://…) and REDIS_URL set to the ones that the workers use, on a migrated database:

    python examples/enqueue_from_deep_below.py one.jsonl two.jsonl --site beer

Pass the session as an argument where you can; this is for code whose callers have none to pass.
"""

import argparse
import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from headrace_client import ImportPosts, JobClient, open_client, task_scope


class ServiceBase(DeclarativeBase):
    """The tables of the service; they have nothing to do with those of Headrace."""


class Upload(ServiceBase):
    """A file that somebody gave to the service."""

    __tablename__ = "example_uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(1000))
    run_id: Mapped[str | None] = mapped_column(String(36))


@dataclass(frozen=True)
class Uploads:
    sessions: async_scoped_session[AsyncSession]
    client: JobClient

    async def receive(self, path: Path, site: str) -> None:
        """Handle one upload: whatever is called in this task works in one session and transaction."""
        async with task_scope(self.sessions):
            upload = await self.record(path)
            await self.ask(upload, site)
        print(f"upload {upload.id} is committed with run {upload.run_id}")

    async def record(self, path: Path) -> Upload:
        upload = Upload(path=str(path))
        self.sessions().add(upload)
        await self.sessions().flush()
        return upload

    async def ask(self, upload: Upload, site: str) -> None:
        request = ImportPosts(url=upload.path, site=site)
        upload.run_id = str(await self.client.enqueue(request, session=self.sessions()))


async def main(paths: list[Path], site: str) -> None:
    database_url = os.environ["DATABASE_URL"]
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(ServiceBase.metadata.create_all)
    sessions = async_scoped_session(
        async_sessionmaker(engine, expire_on_commit=False), scopefunc=asyncio.current_task
    )
    async with open_client(database_url, os.environ.get("REDIS_URL")) as client:
        uploads = Uploads(sessions, client)
        async with asyncio.TaskGroup() as tasks:
            for path in paths:
                tasks.create_task(uploads.receive(path, site))
    await engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Record uploads of posts and ask for their imports.")
    parser.add_argument("paths", type=Path, nargs="+", help="files of posts that the worker can read")
    parser.add_argument("--site", default="example")
    arguments = parser.parse_args()
    # The worker may run in another folder, so that only an absolute path means the same file there.
    asyncio.run(main([path.resolve() for path in arguments.paths], arguments.site))
