"""`headrace schedule`: what is due when, what came of the last tick, and running an entry now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from jobs.requests import RebuildAuthorStats
from models import Run, Schedule, Tick
from tests.conftest import every_database
from tests.factories import post, run_of, store, user

if TYPE_CHECKING:
    from tests.conftest import CommandLine
    from worker.resources import Resources

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
NAMES = ["refresh-stats", "rebuild-stats", "prune-history"]


def test_check_looks_at_the_schedule(headrace: CommandLine) -> None:
    assert (
        "ok    schedule: 3 entries, time zone Asia/Kolkata"
        in headrace("check", HEADRACE_TIME_ZONE="Asia/Kolkata").out
    )


@every_database
async def test_the_command_shows_what_came_of_the_last_tick_and_when_the_next_is(
    resources: Resources, headrace: CommandLine
) -> None:
    run_id = await resources.client.enqueue(RebuildAuthorStats())
    long_ago = datetime.now(UTC) - timedelta(days=2)
    async with resources.database.writing.begin() as session:
        session.add_all(Schedule(name=name, seen_until=long_ago) for name in NAMES)
        session.add(Tick("refresh-stats", NOON))
        session.add(Tick("rebuild-stats", NOON - timedelta(days=1), run_id))
        session.add(Tick("rebuild-stats", NOON, run_id))
    refresh, rebuild, prune = headrace("schedule", "--json").json
    assert [refresh["name"], rebuild["name"], prune["name"]] == NAMES
    assert (rebuild["cron"], rebuild["time_zone"], rebuild["catch_up"]) == ("10 3 * * *", "UTC", "last")
    assert datetime.fromisoformat(rebuild["last_tick"]) == NOON
    assert (rebuild["last_run_id"], rebuild["last_state"]) == (str(run_id), "queued")
    assert (refresh["last_run_id"], prune["last_tick"]) == (None, None)
    assert datetime.fromisoformat(rebuild["next_tick"]) > datetime.now(UTC)
    assert long_ago < datetime.fromisoformat(rebuild["due_since"]) < datetime.now(UTC)
    shown = headrace("schedule", HEADRACE_TIME_ZONE="Asia/Kolkata")
    assert "2026-03-28 17:30" in shown.out
    assert f"{str(run_id)[:8]} queued" in shown.out
    assert "nothing to do" in shown.out
    assert "rebuild-stats has been due since" in shown.err
    assert "is a worker running?" in shown.err


@every_database
def test_a_schedule_that_no_worker_has_kept_says_so(headrace: CommandLine) -> None:
    shown = headrace("schedule")
    assert shown.code == 0, shown.err
    assert all(name in shown.out for name in NAMES)
    assert "no worker has kept this schedule yet; `headrace worker` does" in shown.err
    assert {document["due_since"] for document in headrace("schedule", "--json").json} == {None}


@every_database
async def test_an_entry_is_run_now_without_redis(resources: Resources, headrace: CommandLine) -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1/0", "HEADRACE_KEEP_DAYS": "7"}
    printed = headrace("schedule", "run", "prune-history", **away)
    assert printed.code == 0, printed.err
    run: Run = await run_of(resources, UUID(printed.out.strip()))
    assert (run.job, run.state, run.request) == ("prune_history", "queued", {"keep_days": 7.0})
    document = headrace("schedule", "run", "rebuild-stats", "--json", **away).json
    assert (await run_of(resources, UUID(document["run_id"]))).job == "rebuild_author_stats"


async def test_an_entry_with_nothing_to_do_is_not_run_now(
    resources: Resources, headrace: CommandLine
) -> None:
    nothing = headrace("schedule", "run", "refresh-stats")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing to do" in nothing.err
    await store(resources.database, user(1), post("a", 1))
    asked = UUID(headrace("schedule", "run", "refresh-stats").out.strip())
    assert (await run_of(resources, asked)).job == "refresh_author_stats"


def test_an_unknown_entry_is_refused(headrace: CommandLine) -> None:
    done = headrace("schedule", "run", "brew-coffee")
    assert done.code == 2
    assert "refresh-stats" in done.err
