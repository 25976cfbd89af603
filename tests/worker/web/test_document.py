"""The API does what its OpenAPI document says, whatever is sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks
from sqlalchemy import update

from jobs.requests import RefreshAuthorStats
from models import Run, State
from models.token import TokenScope
from tests.factories import post, store, user
from tests.worker.web.conftest import token

if TYPE_CHECKING:
    from worker.resources import Resources

EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
SEEDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def ask_everything(address: str, headers: dict[str, str], known: dict[str, str]) -> set[str]:
    """Ask each operation for what its document allows and for what it forbids; name the operations.

    Most of what is made up is not there; so the parameters of paths are also what is `known` to be there.
    """
    document = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=headers)
    asked = set()
    for result in document.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        asked.add(operation.label)
        ask(operation, GenerationMode.POSITIVE, headers, known)
        with suppress(Unsatisfiable):  # where nothing is asked for, nothing can be wrong
            ask(operation, GenerationMode.NEGATIVE, headers, {})
    return asked


def ask(operation: Any, mode: GenerationMode, headers: dict[str, str], known: dict[str, str]) -> None:
    @SEEDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        case.validate_response(case.call(headers=headers, timeout=120), checks=CHECKS)
        if replaced := known.keys() & case.path_parameters.keys():
            case.path_parameters |= {name: known[name] for name in replaced}
            case.validate_response(case.call(headers=headers, timeout=120), checks=CHECKS)

    holds()


@pytest.mark.slow
async def test_no_answer_is_other_than_its_document_says(address: str, resources: Resources) -> None:
    await store(resources.database, user(1), post(1, author=1))
    [run_id] = await resources.client.enqueue_many([RefreshAuthorStats()])
    async with resources.database.writing.begin() as session:
        # What has succeeded stays so, whatever is asked: its stream ends.
        await session.execute(update(Run).values(state=State.SUCCEEDED))
    known = {"run_id": str(run_id), "name": "rebuild-stats"}
    headers = {"Authorization": f"Bearer {await token(resources.database, TokenScope.WRITE)}"}
    asked = await asyncio.to_thread(ask_everything, address, headers, known)
    assert len(asked) > 12
