"""Plain arq messages, from askers that have only Redis: each becomes a run, whatever is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from arq.constants import job_key_prefix
from pydantic import ValidationError

from jobs.bell import Bell
from jobs.client import row_of
from jobs.registry import BY_NAME
from models.outbox import add_runs
from models.run import bury_runs
from worker.arq_redis import from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arq.connections import ArqRedis

    from models.database import Database

log = structlog.get_logger("headrace.worker")

UNREADABLE = "unreadable"  # the job of a message whose own is not known
EXPIRED = "the message expired in Redis before a worker could read it; only its id is left"
NOT_JSON = "the message is not JSON as arq writes it; enqueue with a JSON job_serializer, or by HTTP"
MOST_BYTES_KEPT = 65_536
# A request carries at most 1 MiB of records, which may be written six times as long.
MOST_BYTES_READ = 8 * 1024 * 1024
TOO_LARGE = f"the message is larger than {MOST_BYTES_READ // 1024**2} MiB; put what it carries into a file"


def run_id_of(name: bytes) -> UUID:
    """Give the run of a message: its own id if that is a UUID, as ours and arq's own are."""
    try:
        return UUID(name.decode())
    except ValueError:
        return uuid5(NAMESPACE_URL, f"arq:{name.decode('latin-1')}")


async def adopt(database: Database, redis: ArqRedis, names: Sequence[bytes]) -> list[Bell]:
    """Write the runs of messages that the ledger does not know, once however often they are delivered.

    A message that cannot be understood becomes a failed run with what it held. Return the bells to ring
    for the others.
    """
    messages = await redis.mget([job_key_prefix.encode() + name for name in names])
    rows, dead = [], {}
    for name, message in zip(names, messages, strict=True):
        if message is None and _is_ours(name):
            continue
        row, error = _read(message)
        row["id"] = run_id_of(name)
        rows.append(row)
        if error:
            dead[row["id"]] = error
    async with database.writing.begin() as session:
        await add_runs(session, rows)
        for run_id, error in dead.items():
            await bury_runs(session, [run_id], error)
    for row in rows:
        log.info("run.adopted", run_id=str(row["id"]), job=row["job"], error=dead.get(row["id"]))
    return [Bell(row["id"], row["queue"]) for row in rows if row["id"] not in dead]


def _is_ours(name: bytes) -> bool:
    """Tell a bell whose run is gone by now; arq's own ids are written without dashes."""
    return str(run_id_of(name)).encode() == name


def _read(message: bytes | None) -> tuple[dict[str, Any], str | None]:
    """Make the row of a message, and say what is wrong with it."""
    if message is None:
        return _row(UNREADABLE, {}), EXPIRED
    if len(message) > MOST_BYTES_READ:
        return _row(UNREADABLE, {"raw": message[:MOST_BYTES_KEPT].decode("latin-1")}), TOO_LARGE
    try:
        content = from_json(message)
        job, positional, fields = str(content["f"]), content["a"], dict(content["k"])
        json.dumps(content, allow_nan=False)  # no database would take NaN, which Python reads as JSON
    except (ValueError, TypeError, KeyError, RecursionError):
        job, positional, fields = "", (), {}
    if not job or not job.isprintable():
        return _row(UNREADABLE, {"raw": message[:MOST_BYTES_KEPT].decode("latin-1")}), NOT_JSON
    return _row(job, fields | ({"positional": positional} if positional else {})), None


def _row(job: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Make a row as the client would; a request that does not fit its job fails when it is carried out."""
    try:
        return row_of(BY_NAME[job].request.model_validate(fields))
    except (KeyError, ValidationError):
        return {"job": job[:64], "request": fields, "queue": "default"}
