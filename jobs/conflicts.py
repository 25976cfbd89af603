"""Trying a transaction again that stood in another's way."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from jobs.errors import BatchConflictError
from models.dialect import Fault, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Value = TypeVar("Value")
CONFLICT_TRIES = 5
LONGEST_PAUSE_SECONDS = 0.5


async def despite_conflicts(step: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    """Carry out a step that is one transaction; once more, after a pause, where another was first.

    Imports of the same records deadlock now and then, on MySQL more often; it must not cost the run a try.

    Raises:
        BatchConflictError, DBAPIError: another was first each time.

    """
    for _ in range(CONFLICT_TRIES - 1):
        try:
            return await step()
        except (BatchConflictError, DBAPIError) as error:
            if isinstance(error, DBAPIError) and fault_of(error) is not Fault.CONFLICT:
                raise
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - jitter, not cryptography
    return await step()
