"""What `headrace check` looks at, without starting anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from models.database import most_connections
from models.native import IS_COMPILED
from models.replication import follows, identity, lag
from models.server import server_of, setting_of
from models.source_state import source_states
from worker.embedded import running
from worker.resources import ServiceError, check_database, connect_redis, open_database_of
from worker.schedule import ScheduleError, check_schedule, schedule_of
from worker.schema import SchemaError
from worker.settings import unknown_settings
from worker.source_file import SourceFileError, read_sources

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from models.database import Database
    from worker.settings import Settings


MIB = 1024 * 1024
LEAST_PACKET_BYTES = 16 * MIB
# SQLite's WAL needs shared memory and working locks, which these do not give.
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs", "ceph", "fuse.glusterfs"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    says: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at settings, compiled loops, pool size, schedule, database, schema, replica and Redis."""
    embedded = await running(settings.home)
    return [
        _settings(),
        _loops(),
        _pool(settings),
        *_schedule(settings),
        *await _database(settings, settings.database_url or embedded.database_url),
        await _redis(settings, settings.redis_url or embedded.redis_url),
    ]


def _settings() -> Finding:
    unknown = unknown_settings()
    return Finding("settings", not unknown, f"unknown: {', '.join(unknown)}" if unknown else "all known")


def _loops() -> Finding:
    missing = "none, as a compiler or Python's headers were missing at the installation; imports take longer"
    return Finding("compiled loops", True, "in use" if IS_COMPILED else missing)  # noqa: FBT003 - it is ok


def _pool(settings: Settings) -> Finding:
    enough = settings.connections >= settings.needed_pool_size
    says = f"{settings.connections} connections for {sum(settings.slots.values())} runs at a time"
    if settings.database_replica_url:
        says += ", and as many to the replica"
    if not enough:
        says += f"; HEADRACE_POOL_SIZE must be at least {settings.needed_pool_size}"
    return Finding("pool", enough, says)


def _schedule(settings: Settings) -> list[Finding]:
    try:
        schedule = schedule_of(settings)
        check_schedule(settings, schedule)
    except SourceFileError as error:
        return [Finding("sources", ok=False, says=fault) for fault in error.faults]
    except ScheduleError as error:
        return [Finding("schedule", ok=False, says=str(error))]
    return [Finding("schedule", ok=True, says=f"{len(schedule)} entries, time zone {settings.time_zone}")]


async def _alarms(settings: Settings, database: Database) -> list[Finding]:
    """Say which sources are not as they should be; what is wrong with their file is said before."""
    try:
        names = [source.name for source in read_sources(settings.sources)]
    except SourceFileError:
        return []
    async with database.reading() as session:
        states = await source_states(session, names)
    raised = [
        Finding(f"source {name}", ok=False, says=state.alarm) for name, state in states.items() if state.alarm
    ]
    return raised or [Finding("sources", ok=True, says=f"{len(names)} without an alarm")] * bool(names)


async def _database(settings: Settings, url: str | None) -> list[Finding]:
    if url is None:
        return [
            Finding("database", ok=True, says=f"embedded in {settings.home}; starts with the next command")
        ]
    try:
        async with open_database_of(settings, url) as database:
            found = [*await _primary(settings, database), *await _alarms(settings, database)]
            if database.replica:
                found.append(await _replica(database, database.replica.engine))
            return found
    except (ServiceError, SchemaError) as error:
        return [Finding("database", ok=False, says=str(error))]


async def _primary(settings: Settings, database: Database) -> list[Finding]:
    revision = await check_database(database.engine, migrated=False, schema=True)
    most = await most_connections(database.engine)
    found = [
        Finding("database", ok=True, says=f"{_where(database.engine)}, schema {revision}"),
        await _server(database.engine),
    ]
    return found if most is None else [*found, _connections(settings, most)]


async def _server(engine: AsyncEngine) -> Finding:
    """Say what the database is, and what of its set-up would hurt."""
    server = server_of(engine)
    if engine.dialect.name == "mysql":
        size = int(await setting_of(engine, "max_allowed_packet"))
        says = f"{server}, max_allowed_packet {size // MIB} MiB: larger records become rejects"
        return Finding("server", size >= LEAST_PACKET_BYTES, says)
    if engine.dialect.name == "sqlite":
        mode, system = await setting_of(engine, "journal_mode"), _file_system(engine.url.database or "")
        says = f"{server}, journal mode {mode} on {system}: for one host, one writer at a time"
        return Finding("server", mode == "wal" and system not in NETWORK_FILE_SYSTEMS, says)
    return Finding("server", ok=True, says=str(server))


def _file_system(path: str) -> str:
    """Name the type of the file system that holds a file."""
    file = Path(path).resolve()
    holding = [part for part in psutil.disk_partitions(all=True) if file.is_relative_to(part.mountpoint)]
    return max(holding, key=lambda part: len(part.mountpoint)).fstype if holding else "unknown"


async def _replica(database: Database, replica: AsyncEngine) -> Finding:
    try:
        return Finding("replica", ok=True, says=await _following(database, replica))
    except (ServiceError, SchemaError) as error:
        return Finding("replica", ok=False, says=str(error))


async def _following(database: Database, replica: AsyncEngine) -> str:
    """Say how far the replica follows the primary.

    Raises:
        ServiceError: it does not answer, or does not follow this primary.
        SchemaError: its schema is older than this version needs.

    """
    revision = await check_database(replica, migrated=False, schema=True)
    async with database.statement() as primary, replica.connect() as connection:
        if not await follows(connection):
            raise ServiceError(f"{_where(replica)} is no replica; reads go to the primary")
        if await identity(primary) != await identity(connection):
            raise ServiceError(f"{_where(replica)} is a replica of another server than DATABASE_URL")
        behind = await lag(primary, connection)
    says = f"{_where(replica)}, schema {revision}"
    return says if behind is None else f"{says}, {behind.bytes:,} bytes and {behind.seconds:.1f} s behind"


def _where(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _connections(settings: Settings, most: int) -> Finding:
    enough = settings.connections <= most
    says = f"a worker process takes up to {settings.connections} of the server's {most}"
    if enough:
        says += f", so {most // settings.connections} would fit"
    else:
        says += "; raise its max_connections or lower HEADRACE_CONCURRENCY"
    return Finding("connections", enough, says)


async def _redis(settings: Settings, url: str | None) -> Finding:
    if url is None:
        return Finding("redis", ok=True, says=f"embedded in {settings.home}; starts with the next command")
    try:
        redis = await connect_redis(settings, url)
    except ServiceError as error:
        return Finding("redis", ok=False, says=str(error))
    version = (await redis.info("server"))["redis_version"]
    await redis.aclose(close_connection_pool=True)
    return Finding("redis", ok=True, says=f"version {version}, queue {settings.queue}")
