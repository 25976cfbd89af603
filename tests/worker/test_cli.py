"""The commands as a user types them: answers on standard output, one-line errors, exit codes."""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.chaos.caught import caught
from tests.chaos.fail_points import MID_BATCH
from tests.conftest import every_database
from tests.factories import json_posts, json_users, write_jsonl
from worker.entry import INTERRUPTED
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import CommandLine, Finished

RECEIPT = ("read", "inserted", "updated", "unchanged", "deleted", "rejected", "skipped")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    folder = tmp_path / "a dump"
    folder.mkdir()
    write_jsonl(folder / "Users.jsonl", json_users(7))
    write_jsonl(folder / "Posts.jsonl", json_posts(60))
    return folder


def assert_one_line(done: Finished, *says: str) -> None:
    """An error is one line on standard error, without a traceback, and the exit code is not zero."""
    assert done.code != 0
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("headrace: ")
    for words in says:
        assert words in lines[0]


@every_database
def test_import_wait_with_worker_prints_one_receipt(headrace: CommandLine, dump: Path) -> None:
    done = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json")
    assert done.code == 0, done.err
    receipt = done.json
    assert {name: receipt[name] for name in RECEIPT} == {
        "read": 67,
        "inserted": 67,
        "updated": 0,
        "unchanged": 0,
        "deleted": 0,
        "rejected": 0,
        "skipped": 0,
    }
    assert receipt["state"] == "succeeded"
    assert receipt["seconds"] > 0
    assert {name: part["read"] for name, part in receipt["entities"].items()} == {"users": 7, "posts": 60}
    again = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", "--json").json
    assert (again["read"], again["unchanged"], again["inserted"]) == (67, 67, 0)
    runs = headrace("runs", "--json").json
    assert runs[-1]["run_id"] == receipt["run_id"]
    assert {run["state"] for run in runs} == {"succeeded"}
    one = headrace("run", receipt["run_id"][:8], "--json").json
    assert one["entities"] == receipt["entities"]


def test_import_alone_only_asks_and_a_burst_does_the_work(headrace: CommandLine, dump: Path) -> None:
    asked = headrace("import", dump / "Posts.jsonl", "--site", "tests", "--json").json
    assert asked["state"] == "queued"
    assert headrace("worker", "--burst").code == 0
    assert headrace("run", asked["run_id"], "--json").json["inserted"] == 60


def test_logs_of_the_worker_are_json_with_the_run_bound(headrace: CommandLine, dump: Path) -> None:
    asked = headrace("import", dump, "--site", "tests", "--json").json
    done = headrace("worker", "--burst")
    events = [json.loads(line) for line in done.err.splitlines()]
    assert done.out == ""
    about = [event for event in events if event.get("run_id") == asked["run_id"]]
    assert [event["event"] for event in about] == ["run.started", "run.succeeded"]
    assert {(event["job"], event["attempt"]) for event in about} == {("import_dump", 1)}


def test_a_dirty_sample_loads_with_its_known_rejects(headrace: CommandLine, tmp_path: Path) -> None:
    counts = write_sample(tmp_path / "sample", users=200, posts=900, seed=3, dirty=True)
    done = headrace("import", tmp_path / "sample", "--site", "s", "--wait", "--with-worker", "--json")
    assert done.code == 0
    found = {name: (part["read"], part["rejected"]) for name, part in done.json["entities"].items()}
    assert found == {
        name: (getattr(counts, name).rows, getattr(counts, name).rejected)
        for name in ("users", "tags", "posts")
    }
    shown = headrace("run", done.json["run_id"])
    assert "rejected by rule" in shown.out


def test_statistics_authors_and_export_agree(headrace: CommandLine, dump: Path, tmp_path: Path) -> None:
    headrace("import", dump, "--site", "tests", "--wait", "--with-worker")
    assert headrace("stats", "rebuild", "--json").json == {"users": 7, "drifted": 0}
    assert headrace("stats", "refresh", "--json").json == {"refreshed": 0}
    assert headrace("stats", "audit", "--json").json == {"drifted": 0}
    top = headrace("authors", "--site", "tests", "--top", "3", "--json").json
    assert headrace("export", "authors", "--to", tmp_path / "authors.jsonl").code == 0
    exported = [json.loads(line) for line in (tmp_path / "authors.jsonl").read_text().splitlines()]
    best = sorted(exported, key=lambda a: (-a["total_score"], -a["post_count"], a["external_id"]))[:3]
    assert [a["external_id"] for a in top] == [a["external_id"] for a in best]
    assert len(exported) == 7
    assert "authors by total score" in headrace("authors").out


def test_migrate_and_a_database_that_is_not_migrated(headrace: CommandLine, tmp_path: Path) -> None:
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    assert_one_line(headrace("runs", DATABASE_URL=fresh), "headrace migrate")
    for _ in range(2):
        assert headrace("migrate", DATABASE_URL=fresh).code == 0
    assert headrace("runs", "--json", DATABASE_URL=fresh).json == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ({"DATABASE_URL": "postgresql://x:hunter2@127.0.0.1:1/d"}, "127.0.0.1:1"),
        ({"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}, "127.0.0.1:1"),
        ({"DATABASE_URL": "sqlite:////no/such/folder/x.db"}, "cannot be used"),
        ({"HEADRACE_BATCH_SIZE": "x"}, "HEADRACE_BATCH_SIZE"),
        ({"REDIS_URL": "redis://127.0.0.1:abc"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:99999"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0?foo=bar"}, "foo"),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1:99999/d"}, "127.0.0.1"),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1:abc/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u:hunter2@127.0.0.1:1/d"}, "127.0.0.1:1"),
        ({"DATABASE_URL": "postgresql://u@127.0.0.1:1/d?nonsense=1"}, "nonsense"),
        ({"HEADRACE_HOME": "/proc/nowhere", "DATABASE_URL": "", "REDIS_URL": ""}, "HEADRACE_HOME"),
    ],
)
def test_a_service_that_is_away_or_a_bad_setting_is_one_line(
    headrace: CommandLine, dump: Path, url: dict[str, str], says: str
) -> None:
    done = headrace("import", dump, "--site", "tests", "--wait", "--with-worker", **url)
    assert_one_line(done, says)
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (None, b"", "no such file"),
        ("empty.xml", b"", "empty"),
        ("Posts.xml", b"\x89PNG\r\n\x1a\n\x00\x00", "Posts.xml"),
        ("Posts.xml", b"<html><body>Not found</body></html>", "Posts.xml"),
        ("Posts.xml", b'<?xml version="1.0"?>\n<posts>\n  <row Id="1" Post', "</posts>"),
        ("notes.txt", b"hello\n", "--format"),
        ("things.csv", b"colour,weight\nred,3\n", "things.csv"),
        ("users.csv", b"external_id,name\r1,a\r2,b\r", "CR"),
    ],
)
def test_input_that_cannot_be_read_is_one_line_and_asks_for_nothing(
    headrace: CommandLine, tmp_path: Path, file: str | None, content: bytes, says: str
) -> None:
    path = tmp_path / (file or "missing.xml")
    if file:
        path.write_bytes(content)
    assert_one_line(headrace("import", path, "--site", "s", "--wait", "--with-worker"), str(path), says)
    assert headrace("runs", "--json").json == []


def test_a_redis_that_accepts_and_never_answers_is_one_line(headrace: CommandLine, dump: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        assert_one_line(headrace("import", dump, "--site", "s", REDIS_URL=url), "127.0.0.1")
        assert headrace("check", REDIS_URL=url).code == 1


def test_a_name_that_is_not_utf8_is_refused(headrace: CommandLine, dump: Path) -> None:
    for words in (("export", "users", "--to", "\udcff.csv"), ("import", dump, "--site", "\udcff")):
        done = headrace(*words)
        assert done.code == 2
        assert "Traceback" not in done.err
    assert headrace("runs", "--json").json == []


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_command_ends_in_one_line_and_its_run_goes_on(
    headrace: CommandLine, dump: Path, stop: signal.Signals
) -> None:
    headrace = replace(headrace, environment=headrace.environment | {"HEADRACE_BATCH_SIZE": "10"})
    importing = ("import", str(dump), "--site", "s", "--wait", "--with-worker")
    async with caught(MID_BATCH, headrace, *importing) as process:
        process.send(stop)
        process.release()
        assert await process.ended() == INTERRUPTED
    assert process.log.read_text().strip() == "headrace: interrupted"
    assert headrace("worker", "--burst").code == 0
    assert {run["state"] for run in headrace("runs", "--json").json} == {"succeeded"}


def test_a_folder_without_dump_files_is_one_line(headrace: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_one_line(headrace("import", tmp_path / "empty", "--site", "s"), "Users, Tags or Posts")


@pytest.mark.parametrize("run_id", ["ffffffff", "not-a-run", "", "f", "ffffffff-ffff-4fff-8fff-ffffffffffff"])
def test_an_unknown_run_is_one_line(headrace: CommandLine, run_id: str) -> None:
    assert_one_line(headrace("run", run_id), "headrace runs")


def test_a_failed_run_makes_import_fail_and_is_found_by_state(headrace: CommandLine, dump: Path) -> None:
    asked = headrace("import", dump / "Posts.jsonl", "--site", "s", "--json").json
    (dump / "Posts.jsonl").unlink()
    headrace("worker", "--burst")
    failed = headrace("runs", "--state", "failed", "--json").json
    assert [run["run_id"] for run in failed] == [asked["run_id"]]
    assert "Posts.jsonl" in failed[0]["error"]


def test_an_export_to_a_missing_folder_or_of_an_unknown_kind_is_an_error(
    headrace: CommandLine, tmp_path: Path
) -> None:
    assert_one_line(headrace("export", "posts", "--to", tmp_path / "no" / "x.csv"), "no such folder")
    done = headrace("export", "posts", "--to", tmp_path / "x.xlsx")
    assert done.code == 2
    assert "--format" in done.err


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "worker",
        "migrate",
        "check",
        "import",
        "map",
        "runs",
        "run",
        "cancel",
        "retry",
        "stats",
        "authors",
        "export",
        "sample",
    ],
)
def test_every_command_explains_itself(headrace: CommandLine, command: str) -> None:
    done = headrace(*command.split(), "--help")
    assert done.code == 0
    assert "Usage: headrace" in done.out
