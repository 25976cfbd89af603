"""Asks Headrace for background jobs: over HTTP, or in a transaction of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace_client.documents import EntityReceipt, Progress, RejectInfo, RunInfo, ScheduleInfo, UploadInfo
from headrace_client.errors import (
    BusyError,
    ConflictError,
    HeadraceError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    ProblemError,
    UnreachableError,
    UnreadableError,
)
from headrace_client.http_client import HeadraceClient
from jobs.import_requests import ImportDump, ImportPosts, ImportRecords, ImportTags, ImportUsers, PlanImport
from jobs.mapping import FieldMapping
from jobs.requests import (
    ExportRows,
    PruneHistory,
    RebuildAuthorStats,
    RefreshAuthorStats,
    ReplayRejects,
    Request,
    RevertRun,
    VerifyRun,
    VerifySite,
)

if TYPE_CHECKING:
    from headrace_client.session import JobClient, Unique, enqueue_in, open_client, task_scope

__all__ = [
    "BusyError",
    "ConflictError",
    "EntityReceipt",
    "ExportRows",
    "FieldMapping",
    "HeadraceClient",
    "HeadraceError",
    "ImportDump",
    "ImportPosts",
    "ImportRecords",
    "ImportTags",
    "ImportUsers",
    "InvalidError",
    "JobClient",
    "NotAllowedError",
    "NotFoundError",
    "PlanImport",
    "ProblemError",
    "Progress",
    "PruneHistory",
    "RebuildAuthorStats",
    "RefreshAuthorStats",
    "RejectInfo",
    "ReplayRejects",
    "Request",
    "RevertRun",
    "RunInfo",
    "ScheduleInfo",
    "Unique",
    "UnreachableError",
    "UnreadableError",
    "UploadInfo",
    "VerifyRun",
    "VerifySite",
    "enqueue_in",
    "open_client",
    "task_scope",
]
_OF_SESSION = ("JobClient", "Unique", "enqueue_in", "open_client", "task_scope")


def __getattr__(name: str) -> Any:
    """Import what needs SQLAlchemy and Redis when it is asked for: over HTTP neither is needed."""
    if name not in _OF_SESSION:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from headrace_client import session  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs {error.name}: pip install 'headrace-client[session]'") from error
    return getattr(session, name)
