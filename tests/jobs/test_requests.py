"""Old and new versions of requests read each other, so that versions can run side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema_rs
import pytest

from jobs.registry import BY_NAME
from jobs.requests import PruneHistory
from models.run import Run, State, retry_runs
from tests.factories import run_of
from worker.main import run_worker

if TYPE_CHECKING:
    from worker.resources import Resources


class Frozen(NamedTuple):
    """One request as a released version wrote it, the values it meant, and the schema that version reads."""

    version: str
    job: str
    request: dict[str, Any]
    values: dict[str, Any]
    schema: dict[str, Any]


def frozen() -> list[Frozen]:
    """Read the contract: a folder for each version that added a job, with a file for each job it added."""
    found = []
    for path in sorted(Path(__file__).with_name("contract").glob("*/*.json")):
        contract = json.loads(path.read_text())
        examples = [contract["minimal"], contract["full"]]
        found += [Frozen(path.parent.name, path.stem, **each, schema=contract["schema"]) for each in examples]
    return found


every_request = pytest.mark.parametrize("old", frozen(), ids=lambda old: f"{old.version}-{old.job}")


class Later(PruneHistory):
    """The request of a later version, which has learned something."""

    of_site: str | None = None


@every_request
def test_a_request_of_an_earlier_version_means_what_it_meant(old: Frozen) -> None:
    read = BY_NAME[old.job].request.model_validate(old.request).model_dump(mode="json")
    assert read.items() >= old.values.items()


@every_request
def test_an_earlier_version_reads_what_it_knows(old: Frozen) -> None:
    written = BY_NAME[old.job].request.model_validate(old.request).document()
    jsonschema_rs.validate(old.schema, written)
    assert old.values.items() >= written.items()


def test_every_job_has_its_contract() -> None:
    assert {old.job for old in frozen()} == BY_NAME.keys(), "write its file in tests/jobs/contract/<version>/"


def test_a_new_field_travels_only_where_it_is_used() -> None:
    assert Later().document() == {}
    assert Later(of_site="beer", keep_days=30).document() == {"of_site": "beer"}


async def test_a_worker_obeys_no_part_of_a_request_it_does_not_know_and_a_later_one_takes_it_up(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await resources.client.enqueue(Later(of_site="beer"))
    await run_worker(resources, burst=True)
    run = await run_of(resources, run_id)
    assert (run.state, run.attempt, run.result) == (State.FAILED, 1, None)
    assert run.error == (
        "unreadable request: of_site: Extra inputs are not permitted; "
        "a later version may have asked for it: upgrade the workers, then `headrace retry`"
    )
    job = replace(BY_NAME[Later.job], request=Later)
    monkeypatch.setitem(BY_NAME, Later.job, job)  # the worker is upgraded
    async with resources.database.writing.begin() as session:
        await retry_runs(session, Run.id == run_id)
    await run_worker(resources, burst=True)
    assert (await run_of(resources, run_id)).state == State.SUCCEEDED
