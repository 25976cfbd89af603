"""The table of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.export_rows import export_rows
from jobs.import_dump import import_dump
from jobs.import_file import import_file
from jobs.import_records import import_records
from jobs.import_requests import ImportDump, ImportPosts, ImportRecords, ImportTags, ImportUsers, PlanImport
from jobs.link_posts import link_posts
from jobs.plan_import import plan_import
from jobs.prune_history import prune_history
from jobs.rebuild_author_stats import rebuild_author_stats
from jobs.refresh_author_stats import refresh_author_stats
from jobs.replay_rejects import replay_rejects
from jobs.requests import (
    ExportRows,
    LinkPosts,
    PruneHistory,
    RebuildAuthorStats,
    RefreshAuthorStats,
    ReplayRejects,
    Request,
    RevertRun,
    SweepSite,
    VerifyRun,
    VerifySite,
)
from jobs.revert_run import revert_run
from jobs.sweep_site import sweep_site
from jobs.verify_run import verify_run
from jobs.verify_site import verify_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Job:
    """What carries out a request: `await function(context, request)` returns the run's result or None."""

    request: type[Request]
    function: Callable[..., Awaitable[dict[str, Any] | None]]
    timeout_seconds: float = HOUR
    tries: int = 5

    @property
    def name(self) -> str:
        """The job's name in the ledger and on the wire."""
        return self.request.job


JOBS: tuple[Job, ...] = (
    Job(ImportUsers, import_file, timeout_seconds=24 * HOUR),
    Job(ImportPosts, import_file, timeout_seconds=24 * HOUR),
    Job(ImportTags, import_file, timeout_seconds=24 * HOUR),
    Job(ImportDump, import_dump, timeout_seconds=24 * HOUR),
    Job(ImportRecords, import_records),
    Job(ReplayRejects, replay_rejects, timeout_seconds=24 * HOUR),
    Job(PlanImport, plan_import, timeout_seconds=24 * HOUR),
    Job(VerifyRun, verify_run, timeout_seconds=24 * HOUR),
    Job(VerifySite, verify_site, timeout_seconds=6 * HOUR),
    Job(LinkPosts, link_posts, timeout_seconds=6 * HOUR),
    Job(SweepSite, sweep_site, timeout_seconds=24 * HOUR),
    Job(RevertRun, revert_run, timeout_seconds=24 * HOUR),
    Job(RefreshAuthorStats, refresh_author_stats),
    Job(RebuildAuthorStats, rebuild_author_stats, timeout_seconds=6 * HOUR),
    Job(ExportRows, export_rows, timeout_seconds=6 * HOUR, tries=3),
    Job(PruneHistory, prune_history),
)

BY_NAME = {job.name: job for job in JOBS}
