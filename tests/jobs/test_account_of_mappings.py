"""Posts that carry their authors are planned as they are imported, and verified with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.import_requests import ImportPosts, PlanImport
from jobs.requests import VerifyRun
from tests.conftest import every_database
from tests.factories import SITE, store, user
from tests.jobs.test_mapped_import import MAPPING, run_it, statuses, written

if TYPE_CHECKING:
    from pathlib import Path

    from models import Run
    from worker.resources import Resources

NAMES = ("inserted", "updated", "unchanged", "rejected", "skipped")


def counts_of(run: Run) -> dict[str, dict[str, int]]:
    return {
        receipt.entity: {"read": receipt.records_read} | {name: getattr(receipt, name) for name in NAMES}
        for receipt in run.receipts
    }


async def planned(resources: Resources, path: Path) -> dict[str, dict[str, Any]]:
    run = await run_it(resources, PlanImport(urls=(str(path),), site=SITE, mapping=MAPPING))
    entities = (run.result or {})["plan"]["entities"]
    return {name: {key: said[key] for key in ("read", *NAMES)} for name, said in entities.items()}


@every_database
async def test_posts_with_authors_are_planned_as_they_are_imported_and_verified(
    resources: Resources, tmp_path: Path
) -> None:
    await store(resources.database, user(3, email="three@example.org", reputation=5))
    for number in (50, 50, 60):
        path = written(
            tmp_path, [*statuses(number), {"id": "x", "created_at": "never", "account": {"id": 1}}]
        )
        plan = await planned(resources, path)
        run = await run_it(resources, ImportPosts(url=str(path), site=SITE, mapping=MAPPING))
        assert plan == counts_of(run)
        verified = (await run_it(resources, VerifyRun(run=run.id))).result or {}
        assert verified["sound"], verified["verification"]["wrong"]
        users = verified["verification"]["entities"]["users"]
        assert users["digest_of_files"] == users["digest"]
