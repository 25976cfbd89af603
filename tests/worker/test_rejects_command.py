"""The commands for what could not be loaded: rejects, replay, and the limit of an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import every_database
from tests.factories import json_posts, write_jsonl
from tests.jobs.replays import lift, refuse
from tests.worker.test_cli import assert_one_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine
    from worker.resources import Resources

NOW = ("--wait", "--with-worker", "--json")


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    rows = json_posts(30)
    rows[4]["created_at"] = "yesterday"
    return write_jsonl(tmp_path / "posts.jsonl", rows)  # two more are refused


@every_database
async def test_rejects_are_listed_by_rule_replayed_and_then_say_by_which_run(
    headrace: CommandLine, resources: Resources, posts: Path
) -> None:
    await refuse(resources)
    run_id = headrace("import", posts, "--site", "s", *NOW).json["run_id"]
    listed = headrace("rejects", run_id[:8], "--json").json
    assert (listed["run_id"], listed["by_rule"]) == (
        run_id,
        {"database": {"open": 2, "replayed": 0}, "date": {"open": 1, "replayed": 0}},
    )
    first = listed["rejects"][0]
    assert (first["rule"], first["replayed_by"], first["run_id"]) == ("date", None, run_id)
    assert '"created_at": "yesterday"' in first["raw"]
    await lift(resources)
    replay = headrace("replay", run_id, "--rule", "database", *NOW).json
    assert (replay["job"], replay["state"], replay["read"], replay["inserted"]) == (
        "replay_rejects",
        "succeeded",
        2,
        2,
    )
    after = headrace("rejects", run_id, "--rule", "database", "--limit", "1", "--json").json
    assert after["by_rule"] == {"database": {"open": 0, "replayed": 2}}
    assert [reject["replayed_by"] for reject in after["rejects"]] == [replay["run_id"]]
    shown = headrace("run", run_id)
    assert "2 rejected by rule database, 2 of them replayed since" in shown.out
    assert "1 rejected by rule date\n" in shown.out
    said = headrace("rejects", run_id).out
    assert "0 open, 2 replayed: database" in said
    assert f"(replayed by {replay['run_id'][:8]})" in said


def test_mistakes_end_in_one_line(headrace: CommandLine, posts: Path) -> None:
    run_id = headrace("import", posts, "--site", "s", *NOW).json["run_id"]
    assert_one_line(headrace("rejects", "00000000"), "no run '00000000'")
    assert_one_line(headrace("replay", "00000000"), "no run '00000000'")
    assert_one_line(headrace("replay", run_id, "--rule", "dates"), "'dates'", "date")
    refused = headrace("import", posts, "--site", "s", "--max-rejects", "many")
    assert (refused.code, refused.out) == (2, "")
    assert "max_rejects: must be a whole number or a percentage" in refused.err


def test_an_import_that_rejects_too_much_fails_with_one_line(headrace: CommandLine, posts: Path) -> None:
    failed = headrace("import", posts, "--site", "s", "--max-rejects", "3%", *NOW)
    assert (failed.code, failed.json["state"], failed.json["attempt"]) == (1, "failed", 1)
    assert_one_line(
        failed, "1 of 30 records (3.3%) were rejected", f"`headrace rejects {failed.json['run_id']}`"
    )
    assert failed.json["inserted"] == 0
    assert headrace("import", posts, "--site", "s", "--max-rejects", "1", *NOW).json["inserted"] == 29
