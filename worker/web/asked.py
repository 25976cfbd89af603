"""What may be asked for: the body that enqueues a run, one shape for each job."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field, create_model

from jobs.registry import JOBS, Job
from jobs.request_values import QueueName
from jobs.requests import Request
from worker.web.values import Moment

EXAMPLES: dict[str, dict[str, Any]] = {
    "import_users": {"url": "/srv/headrace/uploads/users.jsonl", "site": "beer"},
    "import_posts": {"url": "/srv/headrace/uploads/posts.jsonl", "site": "beer"},
    "import_tags": {"url": "/srv/headrace/uploads/tags.jsonl", "site": "beer"},
    "import_dump": {
        "urls": ["/srv/headrace/uploads/Users.xml", "/srv/headrace/uploads/Posts.xml"],
        "site": "beer",
    },
    "import_records": {
        "site": "beer",
        "users": [{"external_id": 7, "name": "Ada"}],
        "posts": [
            {
                "external_id": 1,
                "author_external_id": 7,
                "created_at": "2026-01-01T12:00:00Z",
                "content": "Hops",
            }
        ],
    },
    "replay_rejects": {"run": "5b0e0f2c-1f1f-4c66-8d5c-d1cbb2f6a3a1", "rule": "database"},
    "plan_import": {"urls": ["/srv/headrace/uploads/Posts.xml"], "site": "beer"},
    "verify_run": {"run": "5b0e0f2c-1f1f-4c66-8d5c-d1cbb2f6a3a1"},
    "verify_site": {"site": "beer"},
    "link_posts": {"site": "beer"},
    "sweep_site": {"site": "beer", "entities": ["users", "posts"]},
    "revert_run": {"run": "5b0e0f2c-1f1f-4c66-8d5c-d1cbb2f6a3a1"},
    "refresh_author_stats": {},
    "rebuild_author_stats": {},
    "export_rows": {"entity": "authors", "path": "/srv/headrace/exports/authors.jsonl", "site": "beer"},
    "prune_history": {"keep_days": 30},
}


class Asked(BaseModel):
    """A job, what it is to do, and when and where to run."""

    model_config = ConfigDict(extra="forbid")
    job: str
    request: Request
    run_at: Moment | None = Field(default=None, description="Not before then; as soon as possible if null.")
    queue: QueueName | None = Field(default=None, description="The job's own queue if null.")


def _asked(job: Job) -> type[Asked]:
    """Make the shape for one job."""
    fields: dict[str, Any] = {"job": (Literal[job.name], ...), "request": (job.request, ...)}
    return create_model(f"Ask{job.request.__name__}", __base__=Asked, __doc__=job.request.__doc__, **fields)


def _example(job: Job) -> dict[str, Any]:
    says = (job.request.__doc__ or "").strip().splitlines()[0]
    return {"summary": says, "value": {"job": job.name, "request": EXAMPLES[job.name]}}


if TYPE_CHECKING:
    AskedAny = Asked
else:
    AskedAny = Annotated[
        Union[tuple(map(_asked, JOBS))],  # noqa: UP007 - of a table
        Body(discriminator="job", openapi_examples={job.name: _example(job) for job in JOBS}),
    ]
