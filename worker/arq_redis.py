"""The Redis client as arq wants it, with JSON in both directions."""

from __future__ import annotations

import json
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from jobs.bell import ANSWER_SECONDS, CONNECT_SECONDS


def to_json(value: Any) -> bytes:
    """Serialise what arq puts into Redis; anything JSON does not know is kept as its text."""
    return json.dumps(value, default=str).encode()


from_json = json.loads


def open_redis(url: str, queue: str) -> ArqRedis:
    """Make a Redis client for arq; it connects with the first command."""
    pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
    return ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=queue)
