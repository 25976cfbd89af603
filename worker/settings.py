"""Settings: environment variables, read once, checked and frozen."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from redis.asyncio.connection import parse_url

from jobs.fetching.places import OBJECT_STORES
from models.statements import STATEMENT_SECONDS
from models.urls import async_url

if TYPE_CHECKING:
    from jobs.request_values import QueueName


class SettingsError(Exception):
    """A setting is missing or wrong."""


def _database_url(url: str) -> str:
    parsed = async_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ValueError("an SQLite database must be a file: sqlite:///path, or sqlite:////absolute/path")
    return parsed.render_as_string(hide_password=False)


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("not a Redis URL; expected redis://, rediss:// or unix://")
    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError(f"cannot be read ({error}); expected e.g. redis://host:6379/0") from error
    return url


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; expected e.g. Europe/Paris") from error
    return name


def _words(value: Any) -> Any:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _paths(value: Any) -> Any:
    return tuple(value.split(os.pathsep)) if isinstance(value, str) else value


def _absolute(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if wrong := [path for path in paths if not path.is_absolute()]:
        raise ValueError(f"{wrong[0]} is no absolute path; expected e.g. /data/dumps{os.pathsep}/data/more")
    return paths


def _origin(origin: str) -> str:
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
        raise ValueError(f"{origin!r} is no origin; expected e.g. https://app.example.com")
    return origin


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    stores = "|".join(OBJECT_STORES)
    if wrong := [host for host in hosts if not re.fullmatch(rf"(({stores})://|\*\.)?[^/:*@\s]+", host)]:
        raise ValueError(
            f"{wrong[0]!r} is no host; expected e.g. data.example.org, *.example.org or s3://bucket"
        )
    return hosts


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Rate = Annotated[str, Field(pattern=r"^[1-9]\d{0,6}/(second|minute|hour|day)$")]
Origin = Annotated[str, AfterValidator(_origin)]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_words)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_hosts)]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths), AfterValidator(_absolute)]


class Settings(BaseSettings):
    """All settings with their defaults; a service whose URL is unset is embedded."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    database_url: DatabaseUrl | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL"))
    database_replica_url: DatabaseUrl | None = Field(
        default=None, validation_alias=AliasChoices("DATABASE_REPLICA_URL")
    )
    """A replica that exports, audits and listings are read from."""
    redis_url: RedisUrl | None = Field(default=None, validation_alias=AliasChoices("REDIS_URL"))
    home: Path = Path(".headrace")
    """Where the embedded services keep their data."""
    concurrency: int = Field(default=4, ge=0, le=1000)
    """Runs of the default queue that one worker process works on at a time; 0 leaves them to others."""
    bulk_concurrency: int = Field(default=2, ge=0, le=1000)
    """Runs of the bulk queue (imports, exports, rebuilds) at a time, besides those."""
    pool_size: int | None = Field(default=None, ge=1, le=10_000)
    """Database connections of one process, as many to a replica; what the concurrency needs, unless set."""
    statement_seconds: float = Field(default=STATEMENT_SECONDS, ge=0, le=86_400)
    """How long a statement may take before the server ends it; 0 means no limit."""
    batch_size: int | None = Field(default=None, ge=1, le=100_000)
    """Records in one transaction; unset, the writer's own: 5,000 by COPY, 1,000 by add_all."""
    vanish_percent: float = Field(default=25.0, ge=0, le=100)
    """How much of a site a snapshot may lack before it is taken for one that is cut off, and refused."""
    lease_seconds: float = Field(default=15.0, ge=1.0, le=3_600.0)
    """How long a worker that has gone silent keeps its run."""
    shutdown_seconds: float = Field(default=10.0, ge=0.0, le=3_600.0)
    """How long a worker that was told to stop waits for its runs before it interrupts them."""
    queue: str = "headrace"
    """Name of the arq queue."""
    time_zone: TimeZone = "UTC"
    """The zone in which the schedule's hours are meant."""
    keep_days: float = Field(default=30.0, gt=0, le=36_500)
    """How long finished runs, their rejects and old ticks are kept."""
    http_port: int = Field(default=0, ge=0, le=65_535)
    """Where a worker answers for metrics and health; 0 means nowhere."""
    http_host: str = "127.0.0.1"
    """The address of that port."""
    rate_limit: Rate | None = None
    """How often one token, or one address without a token, may ask the HTTP API; None means any."""
    cors_origins: Origins = ()
    """Whose pages may ask the HTTP API from a browser."""
    import_folders: Folders = ()
    """Where files may lie that are asked for over HTTP, besides the uploads."""
    export_folders: Folders = ()
    """Where exports may be written that are asked for over HTTP, besides `exports` in the home."""
    upload_bytes: int = Field(default=16 * 2**30, ge=1)
    """The largest upload."""
    sources: Path | None = None
    """A TOML file of sources that are imported by the clock."""
    import_hosts: Hosts = ()
    """Hosts, and buckets of object stores, that sources may be fetched from; all public ones if unset."""
    import_private_hosts: bool = False
    """Whether sources may be fetched from private and loopback addresses."""
    fetch_bytes: int = Field(default=64 * 2**30, ge=1)
    """The largest source that is fetched."""
    fetch_seconds: float = Field(default=6 * 3_600.0, gt=0)
    """How long one attempt may fetch."""
    decompressed_bytes: int = Field(default=256 * 2**30, ge=1)
    """How much one compressed file or archive may unpack to."""
    decompressed_ratio: float = Field(default=250.0, ge=1)
    """And how many times its size, beyond the first 64 MiB."""
    traces_exporter: str | None = Field(default=None, validation_alias=AliasChoices("OTEL_TRACES_EXPORTER"))
    traces_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    """OpenTelemetry's own names; its library reads these and others itself."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"

    @model_validator(mode="after")
    def _serves_something(self) -> Settings:
        if not self.concurrency and not self.bulk_concurrency:
            raise ValueError("HEADRACE_CONCURRENCY and HEADRACE_BULK_CONCURRENCY are both 0")
        return self

    @model_validator(mode="after")
    def _has_a_replica_of_its_kind(self) -> Settings:
        if self.database_replica_url is None:
            return self
        if self.database_url is None:
            raise ValueError("DATABASE_REPLICA_URL needs DATABASE_URL: the embedded database has no replica")
        kinds = {async_url(url).get_backend_name() for url in (self.database_url, self.database_replica_url)}
        if "sqlite" in kinds:
            raise ValueError("DATABASE_REPLICA_URL: an SQLite database has no replica")
        if len(kinds) > 1:
            raise ValueError("DATABASE_REPLICA_URL: must be the same kind of database as DATABASE_URL")
        return self

    @property
    def traced(self) -> bool:
        """Whether somebody asked for traces."""
        return "otlp" in (self.traces_exporter or ("otlp" if self.traces_endpoint else "none")).split(",")

    @property
    def dialect(self) -> str:
        """The kind of database: `postgresql`, as the embedded one is, `sqlite` or `mysql`."""
        return async_url(self.database_url).get_backend_name() if self.database_url else "postgresql"

    @property
    def needed_pool_size(self) -> int:
        """Connections that the concurrency needs: a batch and a reader or lease each, and two for upkeep."""
        return 2 * (self.concurrency + self.bulk_concurrency) + 2

    @property
    def slots(self) -> dict[QueueName, int]:
        """How many runs of each queue one worker process works on at a time."""
        return {"default": self.concurrency, "bulk": self.bulk_concurrency}

    def at_place(self, place: int) -> Settings:
        """Give the settings of one of several worker processes: each answers at a port of its own."""
        return self.model_copy(update={"http_port": self.http_port and self.http_port + place})

    @property
    def zone(self) -> ZoneInfo:
        """The schedule's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def connections(self) -> int:
        """Connections in the pool."""
        return self.pool_size or self.needed_pool_size


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: one line that names every wrong variable.

    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(problem)) for problem in error.errors())) from None


def unknown_settings() -> list[str]:
    """List HEADRACE_ variables that mean nothing here: misspelt, or of another version."""
    ours = (name for name, field in Settings.model_fields.items() if field.validation_alias is None)
    known = {f"HEADRACE_{name}".upper() for name in ours}
    return sorted(name for name in os.environ if name.startswith("HEADRACE_") and name not in known)


def _sentence(problem: dict[str, object]) -> str:
    location = problem["loc"]
    if not location:
        return str(problem["msg"]).removeprefix("Value error, ")
    field = str(location[0] if isinstance(location, tuple) else location)
    name = field if field.endswith("_URL") else f"HEADRACE_{field.upper()}"
    shown = "" if field.endswith("_URL") else f" (got {problem['input']!r})"  # URLs may hold passwords
    return f"{name}: {str(problem['msg']).removeprefix('Value error, ')}{shown}"
