"""Asking for jobs in a transaction of one's own; needs the extra `session`."""

from __future__ import annotations

from jobs.client import JobClient, open_client
from jobs.sync_session import enqueue_in
from models.outbox import Unique
from models.session import task_scope

__all__ = ["JobClient", "Unique", "enqueue_in", "open_client", "task_scope"]
